use super::*;
use crate::codegen::insn::{Alu, disassemble};
use Reg::*;

fn listing(program: &Program) -> Vec<String> {
    disassemble(&program.insns).into_iter().map(|(_, text)| text).collect()
}

#[test]
fn branches_go_forward_and_back() {
    let mut asm = Assembler::new("main");
    let done = asm.label();
    asm.mov(R1, 3);
    let head = asm.here();
    asm.jump_if(Cond::Eq, R1, 0, done);
    asm.emit(Insn::alu64(Alu::Sub, R1, 1));
    asm.jump(head);
    asm.bind(done);
    asm.ret(0);
    let program = asm.finish().expect("links");
    assert_eq!(
        listing(&program),
        ["r1 = 3", "if r1 == 0x0 goto pc+2", "r1 -= 1", "goto pc-3", "r0 = 0", "exit"]
    );
}

#[test]
fn only_reached_functions_are_linked_and_spans_follow() {
    let mut asm = Assembler::new("main");
    let unused = asm.declare("unused", Linkage::Global, &[]);
    let twice = asm.declare("twice", Linkage::Global, &[Arg::Scalar]);
    let callback = asm.declare("callback", Linkage::Static, &[Arg::Scalar, Arg::Scalar]);
    asm.set_span(7);
    asm.mov(R1, 21);
    asm.call_func(twice);
    asm.load_func(R2, callback);
    asm.load_map(R1, MapId(4));
    asm.load_map_value(R1, MapId(5), 16);
    asm.exit();
    asm.enter(unused);
    asm.ret(1);
    asm.enter(twice);
    asm.set_span(8);
    asm.mov(R0, R1);
    asm.emit(Insn::alu64(Alu::Add, R0, R0));
    asm.exit();
    asm.enter(callback);
    asm.ret(0);
    let program = asm.finish().expect("links");
    assert_eq!(
        listing(&program),
        [
            "r1 = 21",
            "call pc+7",
            "r2 = func[+9]",
            "r1 = map[fd:0]",
            "r1 = map[fd:0][0]+16",
            "exit",
            "r0 = r1",
            "r0 += r0",
            "exit",
            "r0 = 0",
            "exit"
        ]
    );
    let names: Vec<_> = program.functions.iter().map(|f| (f.name.as_str(), f.start, f.end)).collect();
    assert_eq!(names, [("main", 0, 9), ("twice", 9, 12), ("callback", 12, 14)]);
    assert_eq!(program.span_of(1), Some(7));
    assert_eq!(program.span_of(9), Some(8));
    assert_eq!(program.function_of(10).map(|f| f.name.as_str()), Some("twice"));
    assert_eq!(program.map_refs, [MapRef { insn: 4, map: MapId(4) }, MapRef { insn: 6, map: MapId(5) }]);
    let insns = program.with_maps(|map| Some(map.0 as i32 + 10)).expect("known maps");
    assert_eq!((insns[4].imm, insns[6].imm, insns[7].imm), (14, 15, 16));
    assert_eq!(program.with_maps(|_| None), Err(MapId(4)));
}

fn far(long_jumps: bool) -> Result<Program, AsmError> {
    let mut asm = Assembler::new("main");
    asm.allow_long_jumps(long_jumps);
    let end = asm.label();
    asm.jump_if(Cond::Eq, R1, 0, end);
    asm.jump(end);
    for _ in 0..40_000 {
        asm.mov(R0, 0);
    }
    asm.bind(end);
    asm.ret(0);
    asm.finish()
}

#[test]
fn distant_labels_need_long_jumps() {
    assert!(matches!(far(false), Err(AsmError::TooFar { .. })));
    let program = far(true).expect("links");
    let text = listing(&program);
    assert_eq!(text[..4], ["if r1 == 0x0 goto pc+1", "goto pc+1", "gotol pc+40001", "gotol pc+40000"]);
    assert_eq!(program.insns.len(), program.spans.len());
}

#[test]
fn mistakes_are_reported() {
    let mut asm = Assembler::new("main");
    let nowhere = asm.label();
    asm.jump(nowhere);
    assert!(matches!(asm.finish(), Err(AsmError::Unbound { .. })));

    let mut asm = Assembler::new("main");
    let past_the_end = asm.label();
    asm.jump(past_the_end);
    asm.bind(past_the_end);
    assert!(matches!(asm.finish(), Err(AsmError::Unbound { .. })));

    let mut asm = Assembler::new("main");
    let twice = asm.here();
    asm.bind(twice);
    asm.ret(0);
    assert_eq!(asm.finish(), Err(AsmError::BoundTwice(twice)));

    let mut asm = Assembler::new("main");
    let empty = asm.declare("empty", Linkage::Static, &[]);
    asm.call_func(empty);
    asm.exit();
    assert_eq!(asm.finish(), Err(AsmError::Empty("empty".to_string())));
}

#[test]
fn constants_take_the_shortest_form() {
    let mut asm = Assembler::new("main");
    asm.load_imm(R1, -1);
    asm.load_imm(R2, 0xffff_ffff);
    asm.load_imm(R3, 0x1_0000_0000);
    asm.exit();
    let program = asm.finish().expect("links");
    assert_eq!(listing(&program), ["r1 = -1", "w2 = -1", "r3 = 0x100000000", "exit"]);
}
