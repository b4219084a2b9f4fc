//! Hand-written BPF programs for `ci/bench --peers`: what a row costs at least, with nothing of a tracer around it.
//!
//! ```text
//! floor ROW PROBE PROGRAM ARGUMENTS...
//! ```
//!
//! attaches the program of ROW to PROBE of PROGRAM (a USDT probe, or a function) in all its processes, runs it, and then
//! prints the sum of what the program counted, that the figures can be trusted. Each program does just its row, for the
//! registers of bench/sites.c (`rdi` a number, `rsi` a string), and is allowed what a tracer is not: keys of one
//! shape, a table that gives up at the first collision, and no filter.
#![cfg(target_os = "linux")]

use duotrace_ebpf::btf::{Btf, Kind as BtfKind};
use duotrace_ebpf::codegen::asm::{Assembler, Label, MapId};
use duotrace_ebpf::codegen::insn::{Alu, Atomic, Cond, Helper, Insn, Reg, Size};
use duotrace_ebpf::kernel::link::{Site, attach_uprobes};
use duotrace_ebpf::kernel::ringbuf::RingBuffer;
use duotrace_ebpf::kernel::{Kind, Map, MapKind, MapSpec, Prog, ProgSpec, cpus};
use duotrace_ebpf::symbols::code::entry_site;
use duotrace_ebpf::symbols::elf::Elf;
use duotrace_ebpf::symbols::usdt;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// `pt_regs` of x86-64.
const RSI: i16 = 104;
const RDI: i16 = 112;

/// Per-CPU values: unkeyed ones, or the key being made.
const SLOTS: MapId = MapId(0);
const SLOT: i32 = 4096;
/// Per-CPU tables of entries: the hash (0: free), a count, the key.
const TABLE: MapId = MapId(1);
const ENTRIES: i32 = 64;
const STRIDE: i32 = 512;
const EVENTS: MapId = MapId(2);
/// Words of the longest key: the length and 256 characters.
const MOST: i32 = 33;
/// So deep `ustack(20)` goes.
const STACK: i32 = 20 * 8;
const MULTIPLIER: i64 = 0x9e37_79b9_7f4a_7c15_u64 as i64;

/// The program of a row and what it is attached as.
struct Row {
    asm: Assembler,
    kind: Kind,
    out: Label,
}

impl Row {
    fn alu(&mut self, op: Alu, dst: Reg, src: impl Into<duotrace_ebpf::codegen::insn::Operand>) {
        self.asm.emit(Insn::alu64(op, dst, src));
    }

    /// `R7 =` this CPU's part of `SLOTS`, `R9 =` the CPU.
    fn slot(&mut self, ncpu: i32) {
        self.asm.call(Helper::GetSmpProcessorId);
        self.asm.jump_if(Cond::Ge, Reg::R0, ncpu, self.out);
        self.asm.mov(Reg::R9, Reg::R0);
        self.alu(Alu::Mul, Reg::R0, SLOT);
        self.asm.load_map_value(Reg::R7, SLOTS, 0);
        self.alu(Alu::Add, Reg::R7, Reg::R0);
    }

    /// One more in the word at `R7`.
    fn bump(&mut self, at: Reg, off: i16) {
        self.asm.mov(Reg::R1, 1);
        self.asm.emit(Insn::atomic(Atomic::Add, Size::DW, at, off, Reg::R1));
    }

    /// One more in the bucket of `R0`, a positive number.
    fn bucket(&mut self) {
        self.asm.mov(Reg::R2, 0);
        for shift in [32, 16, 8, 4, 2, 1] {
            let small = self.asm.label();
            self.asm.mov(Reg::R3, Reg::R0);
            self.alu(Alu::Rsh, Reg::R3, shift);
            self.asm.jump_if(Cond::Eq, Reg::R3, 0, small);
            self.alu(Alu::Add, Reg::R2, shift);
            self.asm.mov(Reg::R0, Reg::R3);
            self.asm.bind(small);
        }
        self.alu(Alu::And, Reg::R2, 63);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.alu(Alu::Add, Reg::R7, Reg::R2);
        self.bump(Reg::R7, 0);
    }

    /// Counts under the key of `R6` words at `R7`.
    fn keyed(&mut self) {
        let (hash, hashed, compare, insert, copy, full, found) = (
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
            self.asm.label(),
        );
        self.asm.load_imm(Reg::R5, MULTIPLIER);
        self.asm.mov(Reg::R0, Reg::R6);
        self.asm.mov(Reg::R1, Reg::R7);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(hash);
        self.asm.load(Size::DW, Reg::R3, Reg::R1, 0);
        self.alu(Alu::Xor, Reg::R0, Reg::R3);
        self.alu(Alu::Mul, Reg::R0, Reg::R5);
        self.asm.mov(Reg::R3, Reg::R0);
        self.alu(Alu::Rsh, Reg::R3, 32);
        self.alu(Alu::Xor, Reg::R0, Reg::R3);
        self.alu(Alu::Add, Reg::R1, 8);
        self.alu(Alu::Add, Reg::R2, 1);
        self.asm.jump_if(Cond::Ge, Reg::R2, Reg::R6, hashed);
        self.asm.jump_if(Cond::Lt, Reg::R2, MOST, hash);
        self.asm.bind(hashed);
        self.alu(Alu::Or, Reg::R0, 1);
        self.asm.mov(Reg::R1, Reg::R0);
        self.alu(Alu::Rsh, Reg::R1, 32);
        self.alu(Alu::And, Reg::R1, ENTRIES - 1);
        self.alu(Alu::Mul, Reg::R9, ENTRIES);
        self.alu(Alu::Add, Reg::R1, Reg::R9);
        self.alu(Alu::Mul, Reg::R1, STRIDE);
        self.asm.load_map_value(Reg::R8, TABLE, 0);
        self.alu(Alu::Add, Reg::R8, Reg::R1);
        self.asm.load(Size::DW, Reg::R3, Reg::R8, 0);
        self.asm.jump_if(Cond::Eq, Reg::R3, 0, insert);
        self.asm.jump_if(Cond::Ne, Reg::R3, Reg::R0, full);
        self.asm.mov(Reg::R1, Reg::R7);
        self.asm.mov(Reg::R4, Reg::R8);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(compare);
        self.asm.load(Size::DW, Reg::R3, Reg::R1, 0);
        self.asm.load(Size::DW, Reg::R5, Reg::R4, 16);
        self.asm.jump_if(Cond::Ne, Reg::R3, Reg::R5, full);
        self.alu(Alu::Add, Reg::R1, 8);
        self.alu(Alu::Add, Reg::R4, 8);
        self.alu(Alu::Add, Reg::R2, 1);
        self.asm.jump_if(Cond::Ge, Reg::R2, Reg::R6, found);
        self.asm.jump_if(Cond::Lt, Reg::R2, MOST, compare);
        self.asm.bind(full);
        self.asm.ret(0);
        self.asm.bind(insert);
        self.asm.store(Size::DW, Reg::R8, 0, Reg::R0);
        self.asm.mov(Reg::R1, Reg::R7);
        self.asm.mov(Reg::R4, Reg::R8);
        self.asm.mov(Reg::R2, 0);
        self.asm.bind(copy);
        self.asm.load(Size::DW, Reg::R3, Reg::R1, 0);
        self.asm.store(Size::DW, Reg::R4, 16, Reg::R3);
        self.alu(Alu::Add, Reg::R1, 8);
        self.alu(Alu::Add, Reg::R4, 8);
        self.alu(Alu::Add, Reg::R2, 1);
        self.asm.jump_if(Cond::Ge, Reg::R2, Reg::R6, found);
        self.asm.jump_if(Cond::Lt, Reg::R2, MOST, copy);
        self.asm.bind(found);
        self.bump(Reg::R8, 8);
    }

    /// The key is the string at `rsi`: its length and its words, what follows the NUL in the last one masked.
    fn string(&mut self) {
        self.asm.mov(Reg::R1, Reg::R7);
        self.alu(Alu::Add, Reg::R1, 8);
        self.asm.mov(Reg::R2, 256);
        self.asm.load(Size::DW, Reg::R3, Reg::R6, RSI);
        self.asm.call(Helper::ProbeReadUserStr);
        self.alu(Alu::Sub, Reg::R0, 1);
        self.asm.jump_if(Cond::Gt, Reg::R0, 255, self.out);
        self.asm.store(Size::DW, Reg::R7, 0, Reg::R0);
        self.asm.mov(Reg::R6, Reg::R0);
        self.alu(Alu::Rsh, Reg::R6, 3);
        self.asm.mov(Reg::R2, Reg::R6);
        self.alu(Alu::Lsh, Reg::R2, 3);
        self.alu(Alu::Add, Reg::R2, Reg::R7);
        self.alu(Alu::And, Reg::R0, 7);
        self.alu(Alu::Lsh, Reg::R0, 3);
        self.asm.mov(Reg::R3, 1);
        self.alu(Alu::Lsh, Reg::R3, Reg::R0);
        self.alu(Alu::Sub, Reg::R3, 1);
        self.asm.load(Size::DW, Reg::R4, Reg::R2, 8);
        self.alu(Alu::And, Reg::R4, Reg::R3);
        self.asm.store(Size::DW, Reg::R2, 8, Reg::R4);
        self.alu(Alu::Add, Reg::R6, 2);
    }

    /// The key is the process, the thread's name and three bits of `rdi`.
    fn tuple(&mut self) {
        self.asm.call(Helper::GetCurrentPidTgid);
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R7, 0, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, RDI);
        self.alu(Alu::And, Reg::R1, 7);
        self.asm.store(Size::DW, Reg::R7, 8, Reg::R1);
        self.asm.mov(Reg::R1, Reg::R7);
        self.alu(Alu::Add, Reg::R1, 16);
        self.asm.mov(Reg::R2, 16);
        self.asm.call(Helper::GetCurrentComm);
        self.asm.mov(Reg::R6, 4);
    }

    /// The key is the process and up to 20 frames.
    fn stack(&mut self) {
        self.asm.mov(Reg::R1, Reg::R6);
        self.asm.mov(Reg::R2, Reg::R7);
        self.alu(Alu::Add, Reg::R2, 8);
        self.asm.mov(Reg::R3, STACK);
        self.asm.mov(Reg::R4, 1 << 8);
        self.asm.call(Helper::GetStack);
        self.asm.jump_if(Cond::SLe, Reg::R0, 0, self.out);
        self.asm.mov(Reg::R6, Reg::R0);
        self.alu(Alu::Rsh, Reg::R6, 3);
        self.asm.call(Helper::GetCurrentPidTgid);
        self.alu(Alu::Rsh, Reg::R0, 32);
        self.asm.store(Size::DW, Reg::R7, 0, Reg::R0);
        self.alu(Alu::Add, Reg::R6, 1);
    }

    /// A record of 32 bytes: time, process and thread, the number, the processor.
    fn record(&mut self) {
        self.asm.load_map(Reg::R1, EVENTS);
        self.asm.mov(Reg::R2, 32);
        self.asm.mov(Reg::R3, 0);
        self.asm.call(Helper::RingbufReserve);
        self.asm.jump_if(Cond::Eq, Reg::R0, 0, self.out);
        self.asm.mov(Reg::R8, Reg::R0);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.store(Size::DW, Reg::R8, 0, Reg::R0);
        self.asm.call(Helper::GetCurrentPidTgid);
        self.asm.store(Size::DW, Reg::R8, 8, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R6, RDI);
        self.asm.store(Size::DW, Reg::R8, 16, Reg::R1);
        self.asm.store(Size::DW, Reg::R8, 24, Reg::R9);
        self.bump(Reg::R7, 0);
        self.asm.mov(Reg::R1, Reg::R8);
        self.asm.mov(Reg::R2, 1);
        self.asm.call(Helper::RingbufSubmit);
    }

    /// The time of the entry in the session's cookie, the difference at the return into a bucket.
    fn latency(&mut self, ncpu: i32) -> Result<(), String> {
        let function = |name: &str| {
            let found = Btf::vmlinux().and_then(|btf| btf.find(&[BtfKind::Function], name));
            found.map(|entry| entry.id as i32).ok_or_else(|| format!("the kernel has no {name}"))
        };
        let is_return = function("bpf_session_is_return")?;
        let cookie = function("bpf_session_cookie")?;
        self.kind = Kind::UprobeSession;
        let back = self.asm.label();
        self.asm.emit(Insn::call_kfunc(is_return));
        self.asm.mov(Reg::R6, Reg::R0);
        self.asm.emit(Insn::call_kfunc(cookie));
        self.asm.mov(Reg::R8, Reg::R0);
        self.asm.call(Helper::KtimeGetNs);
        self.asm.emit(Insn::alu64(Alu::And, Reg::R6, 255));
        self.asm.jump_if(Cond::Ne, Reg::R6, 0, back);
        self.asm.store(Size::DW, Reg::R8, 0, Reg::R0);
        self.asm.ret(0);
        self.asm.bind(back);
        self.asm.mov(Reg::R6, Reg::R0);
        self.asm.load(Size::DW, Reg::R1, Reg::R8, 0);
        self.alu(Alu::Sub, Reg::R6, Reg::R1);
        self.slot(ncpu);
        self.asm.mov(Reg::R0, Reg::R6);
        self.bucket();
        Ok(())
    }
}

/// The program of a row.
fn row(name: &str, ncpu: i32) -> Result<Row, String> {
    let mut asm = Assembler::new("floor");
    let out = asm.label();
    let mut row = Row { asm, kind: Kind::UprobeMulti, out };
    if name == "empty" {
        row.asm.bind(out);
        row.asm.ret(0);
        return Ok(row);
    }
    if name == "latency" {
        row.latency(ncpu)?;
    } else {
        row.asm.mov(Reg::R6, Reg::R1);
        row.slot(ncpu);
        match name {
            "count" => row.bump(Reg::R7, 0),
            "quantize" => {
                row.asm.load(Size::DW, Reg::R0, Reg::R6, RDI);
                row.bucket();
            }
            "string" => {
                row.string();
                row.keyed();
            }
            "tuple" => {
                row.tuple();
                row.keyed();
            }
            "ustack" => {
                row.stack();
                row.keyed();
            }
            "record" => row.record(),
            _ => return Err(format!("no row {name}")),
        }
    }
    row.asm.bind(out);
    row.asm.ret(0);
    Ok(row)
}

/// Where a probe is in a file: of a USDT probe's name, or else a function's.
fn site(path: &Path, probe: &str) -> Result<u64, String> {
    let elf = Elf::open(path).map_err(|error| error.to_string())?;
    let sites = usdt::sites(&elf).map_err(|error| error.to_string())?;
    if let Some(site) = sites.iter().find(|site| site.name == probe) {
        return Ok(site.offset);
    }
    let functions = elf.functions_named(probe);
    let function = functions.first().ok_or_else(|| format!("no probe {probe} in {}", path.display()))?;
    Ok(entry_site(&elf, function).offset)
}

fn run(arguments: &[String]) -> Result<(), String> {
    let [name, probe, program, rest @ ..] = arguments else {
        return Err("usage: floor ROW PROBE PROGRAM ARGUMENTS...".to_string());
    };
    let ncpu = cpus::possible().map_err(|error| error.to_string())?.len() as u32;
    let mut maps = Vec::new();
    for spec in [
        MapSpec::array(MapKind::MmapArray, "slots", SLOT as u32 * ncpu, 1),
        MapSpec::array(MapKind::MmapArray, "table", (ENTRIES * STRIDE) as u32 * ncpu, 1),
        MapSpec::ringbuf("events", 4 << 20),
    ] {
        maps.push(Map::create(spec).map_err(|error| error.to_string())?);
    }
    let row = row(name, ncpu as i32)?;
    let code = row.asm.finish().map_err(|error| error.to_string())?;
    let insns = code
        .with_maps(|map| maps.get(map.0 as usize).map(Map::raw_fd))
        .map_err(|map| format!("no map {}", map.0))?;
    let spec = ProgSpec {
        kind: row.kind,
        name: "floor",
        insns: &insns,
        functions: &code.functions,
        sleepable: false,
    };
    let prog = Prog::load(&spec).map_err(|error| format!("{error:?}"))?;
    let path = Path::new(program);
    let sites = [Site::new(site(path, probe)?, 0)];
    let links = attach_uprobes(&prog, path, &sites, false, None).map_err(|error| error.to_string())?;
    let mut ring = RingBuffer::new(&maps[2]).map_err(|error| error.to_string())?;
    let mut child = Command::new(program).args(rest).spawn().map_err(|error| error.to_string())?;
    let mut records = 0;
    let mut text = Vec::new();
    let mut drain = |ring: &mut RingBuffer| {
        ring.drain(|record| {
            let word = |at: usize| {
                record.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_ne_bytes)
            };
            let (pid, tid) = (word(8) >> 32, word(8) & 0xffff_ffff);
            let _ = writeln!(text, "{pid} {tid} {}", word(16));
            records += 1;
        });
        let _ = std::io::stderr().write_all(&text);
        text.clear();
    };
    while child.try_wait().map_err(|error| error.to_string())?.is_none() {
        std::thread::sleep(Duration::from_millis(10));
        drain(&mut ring);
    }
    drain(&mut ring);
    drop(links);
    let mut sum = 0u64;
    for (map, stride, first) in [(&maps[0], SLOT as usize, 0), (&maps[1], STRIDE as usize, 8)] {
        let memory = map.mmap().map_err(|error| error.to_string())?;
        let words = match first {
            0 => 64,
            _ => 1,
        };
        // What is in the slots of a keyed row is the key.
        if first == 0 && matches!(name.as_str(), "string" | "tuple" | "ustack") {
            continue;
        }
        for at in (0..memory.region().len()).step_by(stride) {
            sum += (0..words).map(|word| memory.load(at + first + word * 8).unwrap_or(0)).sum::<u64>();
        }
    }
    println!("sum {sum} records {records}");
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}
