use duotrace_ebpf::{
    codegen::{asm::*, insn::*},
    kernel::*,
};
use libbpf_rs::{MapCore, MapHandle, MapType};
use std::os::fd::AsFd;
fn main() {
    if std::env::args().count() > 1 {
        let o = libbpf_rs::libbpf_sys::bpf_map_create_opts {
            sz: size_of::<libbpf_rs::libbpf_sys::bpf_map_create_opts>() as _,
            ..Default::default()
        };
        let name = (std::env::args().count() > 2).then_some("x");
        let m = MapHandle::create(MapType::Array, name, 4, 8, 1, &o).unwrap();
        println!("{:?}", m.as_fd());
        let _ = m.lookup(&[0; 4], libbpf_rs::MapFlags::ANY);
        let e = MapHandle::create(MapType::Array, name, 5, 8, 1, &o).unwrap_err();
        println!("{e:?} {:?} {:?}", e.kind(), std::io::Error::last_os_error());
    }
    let map = Map::create(MapSpec::array(MapKind::MmapArray, "out", 16, 1)).unwrap();
    let out = map.mmap().unwrap();
    let ring = Map::create(MapSpec::ringbuf("ring", 65536)).unwrap();
    let mut ring = ringbuf::RingBuffer::new(&ring).unwrap();
    let mut asm = Assembler::new("begin");
    asm.load_map_value(Reg::R1, MapId(0), 0);
    asm.mov(Reg::R0, 5);
    asm.store(Size::DW, Reg::R1, 0, Reg::R0);
    asm.ret(3);
    let p = asm.finish().unwrap();
    let insns = p.with_maps(|_| Some(map.raw_fd())).unwrap();
    let prog = Prog::load(&ProgSpec {
        kind: Kind::RawTracepoint,
        name: "begin",
        insns: &insns,
        functions: &p.functions,
        sleepable: false,
    })
    .unwrap();
    test_run::run(&prog, &[], None).unwrap();
    println!("{:?} {}", out.load(0), ring.drain(|_| ()));
}
