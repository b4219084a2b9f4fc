//! Stacks in records and keys: each family keeps them its own way.

use super::{Dialect, MAX_FRAMES, half, word};
use crate::abi::{RecDesc, act};

/// How the library keeps a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackShape {
    /// Oracle: depth and string size (4 bytes each), user or kernel, pid (4 each), frames.
    Oracle,
    /// Sun, kernel: frames.
    SunKernel,
    /// Sun, user: pid (8 bytes), as many frames as the argument's lower half says, strings.
    SunUser { frames: u32 },
}

/// A stack as numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stack {
    pub user: bool,
    pub pid: u32,
    pub frames: Vec<u64>,
}

impl StackShape {
    /// The shape of a record with this action.
    pub fn of(desc: &RecDesc, dialect: &Dialect) -> StackShape {
        match desc.action {
            _ if dialect.oracle => StackShape::Oracle,
            act::USTACK | act::JSTACK => StackShape::SunUser { frames: desc.arg as u32 },
            _ => StackShape::SunKernel,
        }
    }

    /// Reads a stack; what is not there is not read.
    pub fn read(self, data: &[u8]) -> Stack {
        let (user, pid, first, count) = match self {
            StackShape::Oracle => (half(data, 8) != 0, half(data, 12), 16, half(data, 0)),
            StackShape::SunKernel => (false, 0, 0, MAX_FRAMES),
            StackShape::SunUser { frames } => {
                (true, half(data, if cfg!(target_endian = "big") { 4 } else { 0 }), 8, frames)
            }
        };
        let frames = data.get(first..).unwrap_or(&[]).chunks_exact(8).take(count.min(MAX_FRAMES) as usize);
        let frames = frames.map(|frame| word(frame, 0)).take_while(|pc| *pc != 0).collect();
        Stack { user, pid, frames }
    }
}
