//! Routines that look into strings byte by byte.

use super::super::context::Gen;

impl Gen<'_> {
    pub(super) fn emit_find_char(&mut self) {
        self.asm.ret(-1);
    }
    pub(super) fn emit_find(&mut self) {
        self.asm.ret(-1);
    }
    pub(super) fn emit_token(&mut self) {
        self.asm.ret(0);
    }
    pub(super) fn emit_path_part(&mut self) {
        self.asm.ret(0);
    }
    pub(super) fn emit_strip(&mut self) {
        self.asm.ret(0);
    }
}
