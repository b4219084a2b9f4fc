//! Nested lists: the outer shape of the IR's text form, for `text` and `parse`.
//!
//! Words and strings in parentheses; a semicolon starts a comment that reaches to the end of the line.

/// A word, a string, or a list of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// No blanks, parentheses, quotes or semicolons.
    Word(String),
    /// In quotes: bytes, `\xNN` where they are not printable.
    Text(Vec<u8>),
    /// In parentheses.
    List(Vec<Node>),
    /// Shown, never parsed.
    Comment(String),
}

/// A list.
pub fn list(nodes: impl IntoIterator<Item = Node>) -> Node {
    Node::List(nodes.into_iter().collect())
}

/// A word.
pub fn word(text: impl ToString) -> Node {
    Node::Word(text.to_string())
}

/// Longest list that stands on one line.
const LINE: usize = 100;

/// Nesting that a text may have: parsing recurses.
const DEPTH: usize = 2000;

impl Node {
    /// The text of a node, lists that are long on several lines.
    pub fn show(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, 0);
        out
    }

    fn flat(&self, out: &mut String) {
        match self {
            Node::Word(word) => out.push_str(word),
            Node::Text(text) => {
                out.push('"');
                for byte in text {
                    match byte {
                        b'"' | b'\\' => out.extend(['\\', char::from(*byte)]),
                        0x20..=0x7e => out.push(char::from(*byte)),
                        _ => out.push_str(&format!("\\x{byte:02x}")),
                    }
                }
                out.push('"');
            }
            Node::List(nodes) => {
                out.push('(');
                for (index, node) in nodes.iter().enumerate() {
                    if index > 0 {
                        out.push(' ');
                    }
                    node.flat(out);
                }
                out.push(')');
            }
            Node::Comment(text) => {
                out.push_str("; ");
                out.push_str(text);
            }
        }
    }

    fn has_comment(&self) -> bool {
        match self {
            Node::List(nodes) => nodes.iter().any(Node::has_comment),
            node => matches!(node, Node::Comment(_)),
        }
    }

    fn write(&self, out: &mut String, indent: usize) {
        let mut flat = String::new();
        self.flat(&mut flat);
        let Node::List(nodes) = self else { return out.push_str(&flat) };
        if indent + flat.len() <= LINE && !self.has_comment() {
            return out.push_str(&flat);
        }
        out.push('(');
        let mut open = true;
        for (index, node) in nodes.iter().enumerate() {
            // Leading words stay with the parenthesis; a comment ends its line.
            if open && index > 0 && matches!(node, Node::Word(_) | Node::Text(_) | Node::Comment(_)) {
                out.push(' ');
            } else if index > 0 {
                open = false;
                out.push('\n');
                out.push_str(&" ".repeat(indent + 2));
            }
            node.write(out, indent + 2);
            open &= !matches!(node, Node::Comment(_));
        }
        if matches!(nodes.last(), Some(Node::Comment(_))) {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
        }
        out.push(')');
    }

    /// Reads all nodes of a text. The error names a line.
    pub fn read(text: &str) -> Result<Vec<Node>, String> {
        let mut reader = Reader { rest: text.as_bytes(), line: 1 };
        let mut nodes = Vec::new();
        while let Some(byte) = reader.next_token() {
            nodes.push(reader.node(byte, 0)?);
        }
        Ok(nodes)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
    line: usize,
}

impl Reader<'_> {
    fn error<T>(&self, what: &str) -> Result<T, String> {
        Err(format!("line {}: {what}", self.line))
    }

    fn take(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        self.line += usize::from(*byte == b'\n');
        Some(*byte)
    }

    /// Skips blanks and comments; takes the byte that follows.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            match self.take()? {
                b';' => while self.take()? != b'\n' {},
                byte if byte.is_ascii_whitespace() => {}
                byte => return Some(byte),
            }
        }
    }

    fn node(&mut self, first: u8, depth: usize) -> Result<Node, String> {
        match first {
            b'(' if depth >= DEPTH => self.error("nested too deeply"),
            b'(' => {
                let mut nodes = Vec::new();
                loop {
                    match self.next_token() {
                        Some(b')') => return Ok(Node::List(nodes)),
                        Some(byte) => nodes.push(self.node(byte, depth + 1)?),
                        None => return self.error("a parenthesis is not closed"),
                    }
                }
            }
            b')' => self.error("a parenthesis closes nothing"),
            b'"' => self.text(),
            first => {
                let mut word = vec![first];
                while let Some(byte) = self.rest.first()
                    && !byte.is_ascii_whitespace()
                    && !matches!(byte, b'(' | b')' | b'"' | b';')
                {
                    word.push(*byte);
                    self.take();
                }
                match String::from_utf8(word) {
                    Ok(word) => Ok(Node::Word(word)),
                    Err(_) => self.error("a word is not UTF-8"),
                }
            }
        }
    }

    fn text(&mut self) -> Result<Node, String> {
        let mut text = Vec::new();
        loop {
            match self.take() {
                Some(b'"') => return Ok(Node::Text(text)),
                Some(b'\\') => match self.take() {
                    Some(b'x') => {
                        let digits =
                            [self.take(), self.take()].map(|d| d.and_then(|d| char::from(d).to_digit(16)));
                        match digits {
                            [Some(high), Some(low)] => text.push((high * 16 + low) as u8),
                            _ => return self.error("\\x needs two hexadecimal digits"),
                        }
                    }
                    Some(byte) => text.push(byte),
                    None => return self.error("a string is not closed"),
                },
                Some(byte) => text.push(byte),
                None => return self.error("a string is not closed"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_come_back() {
        let long = list((0..60).map(|n| list([word("n"), word(n), Node::Text(vec![b'"', n as u8])])));
        let text = format!("{} ; comment\n", long.show());
        assert_eq!(Node::read(&text), Ok(vec![long]));
    }

    #[test]
    fn bad_texts_are_errors() {
        for text in ["(", ")", "\"a", "\"\\x1", &"(".repeat(5000)] {
            assert!(Node::read(text).is_err(), "{text}");
        }
    }
}
