//! `json()`: an element of a JSON text, found in one pass over it with the selector in hand.
//!
//! A selector names elements one within the other: `a.b[3].c`. The pass knows how deep it is and how deep the
//! containers go that the selector has led into; only there are keys and indices compared. A value is cut out of the
//! text as it stands, a string without its quotes. What it makes of a text that is no JSON is what the kernel's code
//! makes of it (`codegen/runtime/json.rs`), step for step.

/// What the next string is that begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// No string.
    Nothing,
    /// A key that is compared.
    Key,
    Other,
}

/// What the value is that is cut out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Nothing,
    /// A number or a word.
    Word,
    Text,
    /// A container that stands so deep.
    Container(i64),
}

/// A step of the pass: on to the next character, or done.
enum Step {
    Next,
    /// There is no such element.
    None,
    /// The value ends before this position.
    Ends(usize),
}

struct Pass<'a> {
    selector: &'a [u8],
    /// Where the element that is looked for begins in the selector, and where its comparison stands.
    element: usize,
    cursor: usize,
    /// Open containers, and how many of them the selector has led into.
    depth: i64,
    level: i64,
    within: Within,
    escaped: bool,
    /// Is the next value the one that the element names?
    hit: bool,
    /// Is the next string a key of the innermost container led into? Does it match so far?
    key: bool,
    matches: bool,
    array: bool,
    index: u64,
    wanted: u64,
    start: usize,
    cut: Cut,
}

/// The element of `text` that `selector` names.
pub fn json<'a>(text: &'a [u8], selector: &[u8]) -> Option<&'a [u8]> {
    let mut pass = Pass {
        selector,
        element: 0,
        cursor: 0,
        depth: 0,
        level: 0,
        within: Within::Nothing,
        escaped: false,
        hit: true,
        key: false,
        matches: false,
        array: false,
        index: 0,
        wanted: 0,
        start: 0,
        cut: Cut::Nothing,
    };
    if pass.next_element() == 0 {
        return None;
    }
    for (at, char) in text.iter().enumerate() {
        let step = match pass.within {
            Within::Nothing => pass.structure(*char, at),
            _ => pass.string(*char, at),
        };
        match step {
            Step::Next => {}
            Step::None => return None,
            Step::Ends(end) => return text.get(pass.start..end),
        }
    }
    // A number may end with the text.
    if pass.cut == Cut::Word { text.get(pass.start..) } else { None }
}

impl Pass<'_> {
    /// The selector's character at the cursor; 0 behind its end.
    fn selector_char(&self) -> u8 {
        self.selector.get(self.cursor).copied().unwrap_or(0)
    }

    /// Moves from behind an element to the next one; its first character, 0 when there is none.
    fn next_element(&mut self) -> u8 {
        for _ in 0..3 {
            if !matches!(self.selector_char(), b'.' | b'[' | b']') {
                break;
            }
            self.cursor += 1;
        }
        self.element = self.cursor;
        self.selector_char()
    }

    /// A character within a string.
    fn string(&mut self, char: u8, at: usize) -> Step {
        let escaped = std::mem::replace(&mut self.escaped, false);
        if !escaped && char == b'"' {
            let was = std::mem::replace(&mut self.within, Within::Nothing);
            return match (was, self.cut) {
                // The key matches when the element ends here, too.
                (Within::Key, _) => {
                    self.matches &= matches!(self.selector_char(), 0 | b'.' | b'[');
                    Step::Next
                }
                (_, Cut::Text) => Step::Ends(at),
                _ => Step::Next,
            };
        }
        self.escaped = !escaped && char == b'\\';
        if self.within == Within::Key {
            match self.selector_char() {
                wanted if wanted == char && !matches!(wanted, b'.' | b'[' | b']') => self.cursor += 1,
                _ => self.matches = false,
            }
        }
        Step::Next
    }

    /// A character outside of strings.
    fn structure(&mut self, char: u8, at: usize) -> Step {
        let led_into = self.level == self.depth;
        let cutting = self.cut != Cut::Nothing;
        match char {
            0..=b' ' if self.cut == Cut::Word => return Step::Ends(at),
            0..=b' ' => {}
            b',' if self.cut == Cut::Word => return Step::Ends(at),
            b',' if !cutting && led_into => {
                if self.array {
                    self.index += 1;
                    self.hit = self.index == self.wanted;
                } else {
                    (self.key, self.hit) = (true, false);
                }
            }
            b':' if !cutting && led_into => self.hit = self.matches,
            b',' | b':' => {}
            b'}' | b']' => return self.close(at),
            _ if !cutting && self.hit => return self.value(char, at),
            b'"' => {
                self.within = Within::Other;
                if !cutting && self.key && led_into {
                    self.within = Within::Key;
                    (self.key, self.matches, self.cursor) = (false, true, self.element);
                }
            }
            b'{' | b'[' => self.depth += 1,
            _ => {}
        }
        Step::Next
    }

    fn close(&mut self, at: usize) -> Step {
        if self.cut == Cut::Word {
            return Step::Ends(at);
        }
        self.depth -= 1;
        match self.cut {
            Cut::Nothing if self.depth < self.level => Step::None,
            Cut::Container(outside) if outside == self.depth => Step::Ends(at + 1),
            _ => Step::Next,
        }
    }

    /// The first character of the value that the element names: the result, or the way to it.
    fn value(&mut self, char: u8, at: usize) -> Step {
        self.hit = false;
        // The text itself is what the first element is looked for in.
        if self.depth != 0 && self.next_element() == 0 {
            self.start = at;
            match char {
                b'"' => {
                    self.start = at + 1;
                    (self.cut, self.within) = (Cut::Text, Within::Other);
                }
                b'{' | b'[' => {
                    self.cut = Cut::Container(self.depth);
                    self.depth += 1;
                }
                _ => self.cut = Cut::Word,
            }
            return Step::Next;
        }
        if !matches!(char, b'{' | b'[') {
            return Step::None;
        }
        // A container that the selector leads into: its keys or indices are compared from here on.
        self.depth += 1;
        self.level = self.depth;
        self.array = char == b'[';
        self.key = !self.array;
        if self.array {
            self.index = 0;
            let Some(wanted) = self.wanted_index() else { return Step::None };
            self.wanted = wanted;
            self.hit = wanted == 0;
        }
        Step::Next
    }

    /// The number that the element is, of six digits at most.
    fn wanted_index(&mut self) -> Option<u64> {
        self.cursor = self.element;
        let mut wanted = None;
        for _ in 0..6 {
            let digit = self.selector_char();
            if !digit.is_ascii_digit() {
                break;
            }
            wanted = Some(wanted.unwrap_or(0) * 10 + u64::from(digit - b'0'));
            self.cursor += 1;
        }
        wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_as_the_kernel_finds_them() {
        let text = r#"{ "ab": {"a": 0}, "a": 1, "b": {"c": "s\"t", "d": [10, {"e":-2.5}]}, "t": true }"#;
        for (text, selector, want) in [
            (text, "a", Some("1")),
            (text, "ab", Some(r#"{"a": 0}"#)),
            (text, "ab.a", Some("0")),
            (text, "b.c", Some(r#"s\"t"#)),
            (text, "b.d[0]", Some("10")),
            (text, "b.d[1].e", Some("-2.5")),
            (text, "b.d", Some(r#"[10, {"e":-2.5}]"#)),
            (text, "b.d[2]", None),
            (text, "b.d.x", None),
            (text, "t", Some("true")),
            (text, "zz", None),
            (text, "a.b", None),
            (text, "", None),
            ("[1, [2, 3]]", "[1][1]", Some("3")),
            ("[1, [2, 3]]", "1", Some("[2, 3]")),
            ("{\"a\": ", "a", None),
            ("{\"a\": 12", "a", Some("12")),
            ("]}", "a", None),
            ("7", "a", None),
            ("", "a", None),
        ] {
            let found = json(text.as_bytes(), selector.as_bytes());
            assert_eq!(found, want.map(str::as_bytes), "{selector} of {text}");
        }
    }
}
