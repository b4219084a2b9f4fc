//! Expressions of the recipe files: text to [`Recipe`].
//!
//! ```text
//! value  = test [ '?' value ':' value ]
//! test   = bits [ ( '==' | '!=' ) bits ]
//! bits   = sum { '&' sum }
//! sum    = factor { ( '+' | '-' ) factor }
//! factor = atom { '*' atom }
//! atom   = [ '-' ] number | name | '[' value ']' [ ':' width ] | '(' value ')'
//! ```
//!
//! A name is a register (`arg0` ... `arg5`, `retval`), `found`, `thread`,
//! `kept`, `tid`, `called`, a `let`, or an entry of the table of offsets. `[x]` is
//! the 8 bytes at address x; `[x]:4` are 4 bytes without a sign, `[x]:4s` with one. Numbers are decimal or `0x`.

use crate::provider::{ARGUMENT_REGISTERS, RAX};
use crate::symbols::recipe::{Op, Recipe};

/// Deeper nesting than any recipe needs: what a hostile file could exhaust the stack with.
const MAX_DEPTH: u32 = 64;

/// What a name other than a register stands for.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<Recipe>;

/// Parses an expression. The error says what is wrong with it.
pub fn parse(text: &str, lookup: Lookup<'_>) -> Result<Recipe, String> {
    let mut parser = Parser { rest: text.trim_start(), lookup, depth: 0 };
    let recipe = parser.value()?;
    match parser.rest {
        "" => Ok(recipe),
        rest => Err(format!("'{rest}' does not belong here")),
    }
}

struct Parser<'a> {
    rest: &'a str,
    lookup: Lookup<'a>,
    depth: u32,
}

fn binary(op: Op, left: Recipe, right: Recipe) -> Recipe {
    Recipe::Binary { op, left: Box::new(left), right: Box::new(right) }
}

impl<'a> Parser<'a> {
    /// Takes a token if it comes next.
    fn takes(&mut self, token: &str) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn wants(&mut self, token: &str) -> Result<(), String> {
        match self.takes(token) {
            true => Ok(()),
            false if self.rest.is_empty() => Err(format!("'{token}' is missing at the end")),
            false => Err(format!("'{token}' is missing before '{}'", self.rest)),
        }
    }

    fn word(&mut self) -> &'a str {
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest.trim_start();
        word
    }

    fn value(&mut self) -> Result<Recipe, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        let test = self.test()?;
        let recipe = if self.takes("?") {
            let then = self.value()?;
            self.wants(":")?;
            let otherwise = self.value()?;
            Recipe::If { cond: Box::new(test), then: Box::new(then), otherwise: Box::new(otherwise) }
        } else {
            test
        };
        self.depth -= 1;
        Ok(recipe)
    }

    fn test(&mut self) -> Result<Recipe, String> {
        let left = self.bits()?;
        for (token, op) in [("==", Op::Eq), ("!=", Op::Ne)] {
            if self.takes(token) {
                return Ok(binary(op, left, self.bits()?));
            }
        }
        Ok(left)
    }

    fn bits(&mut self) -> Result<Recipe, String> {
        let mut left = self.sum()?;
        while self.takes("&") {
            left = binary(Op::And, left, self.sum()?);
        }
        Ok(left)
    }

    fn sum(&mut self) -> Result<Recipe, String> {
        let mut left = self.factor()?;
        loop {
            let op = match () {
                () if self.takes("+") => Op::Add,
                () if self.takes("-") => Op::Sub,
                () => return Ok(left),
            };
            left = binary(op, left, self.factor()?);
        }
    }

    fn factor(&mut self) -> Result<Recipe, String> {
        let mut left = self.atom()?;
        while self.takes("*") {
            left = binary(Op::Mul, left, self.atom()?);
        }
        Ok(left)
    }

    fn atom(&mut self) -> Result<Recipe, String> {
        if self.rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            self.takes("-");
            return Ok(binary(Op::Sub, Recipe::Const(0), self.atom()?));
        }
        if self.takes("(") {
            let inner = self.value()?;
            self.wants(")")?;
            return Ok(inner);
        }
        if self.takes("[") {
            let at = Box::new(self.value()?);
            // `]:4` is one token: a colon after a space belongs to `? :`.
            let Some(rest) = self.rest.strip_prefix(']') else {
                self.wants("]")?;
                return Err("unreachable".to_owned());
            };
            let (bytes, signed) =
                match rest.strip_prefix(':').filter(|rest| rest.starts_with(['1', '2', '4', '8'])) {
                    Some(rest) => {
                        self.rest = rest;
                        width(self.word())?
                    }
                    None => {
                        self.rest = rest.trim_start();
                        (8, false)
                    }
                };
            return Ok(Recipe::Load { at, bytes, signed });
        }
        let before = self.rest;
        let word = self.word();
        if word.is_empty() {
            return Err(match before {
                "" => "a value is missing at the end".to_owned(),
                rest => format!("'{rest}' is no value"),
            });
        }
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return number(word).map(Recipe::Const).ok_or_else(|| format!("'{word}' is no number"));
        }
        let register = word.strip_prefix("arg").and_then(|n| n.parse::<usize>().ok());
        if let Some(offset) = register.and_then(|n| ARGUMENT_REGISTERS.get(n)) {
            return Ok(Recipe::Register(*offset));
        }
        match word {
            "retval" => Ok(Recipe::Register(RAX)),
            "found" => Ok(Recipe::Found),
            "called" => Ok(Recipe::Called),
            "kept" => Ok(Recipe::Kept),
            "tid" => Ok(Recipe::Tid),
            "thread" => Ok(Recipe::Thread),
            _ => (self.lookup)(word).ok_or_else(|| format!("'{word}' is not defined")),
        }
    }
}

fn width(word: &str) -> Result<(u8, bool), String> {
    match word {
        "1" => Ok((1, false)),
        "2" => Ok((2, false)),
        "4" => Ok((4, false)),
        "8" => Ok((8, false)),
        "1s" => Ok((1, true)),
        "2s" => Ok((2, true)),
        "4s" => Ok((4, true)),
        other => Err(format!("':{other}' is no width: 1, 2, 4, 8, 1s, 2s, 4s are")),
    }
}

/// A decimal number, with a minus sign perhaps, or a hexadecimal one.
pub fn number(word: &str) -> Option<i64> {
    match word.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<Recipe> {
        (name == "a.b").then_some(Recipe::Const(8))
    }

    #[test]
    fn precedence_and_widths() {
        let load = |at, bytes, signed| Recipe::Load { at: Box::new(at), bytes, signed };
        let rdi = || Recipe::Register(112);
        assert_eq!(
            parse("[[arg0 + a.b]:4s + 2 * 3]", &lookup),
            Ok(load(
                binary(
                    Op::Add,
                    load(binary(Op::Add, rdi(), Recipe::Const(8)), 4, true),
                    binary(Op::Mul, Recipe::Const(2), Recipe::Const(3))
                ),
                8,
                false
            ))
        );
        assert_eq!(
            parse("retval & 0xff == 9 ? found : [arg0]", &lookup),
            Ok(Recipe::If {
                cond: Box::new(binary(
                    Op::Eq,
                    binary(Op::And, Recipe::Register(80), Recipe::Const(255)),
                    Recipe::Const(9)
                )),
                then: Box::new(Recipe::Found),
                otherwise: Box::new(load(rdi(), 8, false)),
            })
        );
    }

    #[test]
    fn mistakes_are_errors() {
        for text in ["", "[arg0", "arg0 +", "arg9", "[arg0]:3", "x", "1 2", "a ? b", ")", "12z", "[]"] {
            assert!(parse(text, &lookup).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(100_000), &lookup).is_err());
    }
}
