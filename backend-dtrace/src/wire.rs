//! What the worker process tells the session, as frames on a pipe.
//!
//! A frame is a length (4 bytes), a tag, and fields in host byte order: both ends are the same program. All the same
//! the reader trusts nothing: the worker shares its memory with a library that can go wrong.

use crate::abi::{ErrData, ProbeName, RecDesc};

/// A part of a clause's record, with its format's source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rec {
    pub desc: RecDesc,
    /// Source of the format where one is attached.
    pub format: Option<String>,
}

/// One element of an aggregation, raw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawElement {
    pub name: String,
    /// The variable's number, from 1.
    pub variable: i64,
    /// `DTRACEACT_AGGREGATION` and its function.
    pub action: u16,
    /// Parameters of lquantize and llquantize, where they are not in the value.
    pub signature: u64,
    pub keys: Vec<RecDesc>,
    /// The bytes of the key parts, by their offsets.
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// How far the worker came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Loading and opening the library.
    Open,
    /// An option, by its index.
    Option,
    /// A command (`-c`) or a process (`-p`), by the target's index.
    Target,
    /// `dtrace_init()`.
    Init,
    /// Compiling or enabling a program, by its index.
    Compile,
    /// Starting.
    Go,
    /// Consuming.
    Work,
    /// Listing probes.
    List,
}

const STAGES: [Stage; 8] = [
    Stage::Open,
    Stage::Option,
    Stage::Target,
    Stage::Init,
    Stage::Compile,
    Stage::Go,
    Stage::Work,
    Stage::List,
];

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Everything is compiled and enabled.
    Ready {
        /// Probes matched by each program.
        matches: Vec<u32>,
        /// Their stability, see `Dtrace::stability`.
        stability: Vec<[u8; 6]>,
        /// Options that shape output and that the library has a value for: pragmas may have set them.
        options: Vec<(String, i64)>,
        /// Processes, in the order of the targets; 0 where the library does not tell.
        pids: Vec<u32>,
        /// What `DT_ACT_PRINTF` is.
        act_base: u64,
        /// Is it Oracle's library?
        oracle: bool,
    },
    /// The worker cannot go on.
    Failed {
        stage: Stage,
        index: u32,
        errno: i32,
        text: String,
    },
    /// Describes the records of a clause from here on.
    Clause {
        clause: u32,
        recs: Vec<Rec>,
    },
    /// Describes a probe.
    Probe(ProbeName),
    /// A clause fired. `texts` holds what the library printed for some of the parts.
    Record {
        probe: u32,
        clause: u32,
        cpu: u32,
        data: Vec<u8>,
        texts: Vec<(u32, Vec<u8>)>,
    },
    /// An element of an aggregation; all of them follow each other and end with `Totals`.
    Element(RawElement),
    /// The elements since the last `Totals` are the aggregations as they are now.
    Totals,
    /// The library's name of an address.
    Name {
        pid: Option<u32>,
        addr: u64,
        text: String,
    },
    Drop {
        kind: i32,
        cpu: u32,
        count: u64,
    },
    Fault(ErrData),
    /// A process has ended or was lost.
    TargetExited {
        pid: u32,
        reason: String,
    },
    /// Something that the user should know.
    Warning(String),
    /// What library it is: its file, the family's name, its version.
    Library {
        path: String,
        family: String,
        version: String,
    },
    /// The worker still lives.
    Alive,
    /// Everything has been delivered.
    Stopped,
}

/// Longest frame that is believed.
const MAX_FRAME: usize = 256 << 20;

/// Writes frames.
#[derive(Debug)]
struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn u8(&mut self, v: u8) {
        self.out.push(v);
    }
    fn u32(&mut self, v: u32) {
        self.out.extend_from_slice(&v.to_ne_bytes());
    }
    fn u64(&mut self, v: u64) {
        self.out.extend_from_slice(&v.to_ne_bytes());
    }
    fn bytes(&mut self, v: &[u8]) {
        self.u32(v.len() as u32);
        self.out.extend_from_slice(v);
    }
    fn rec(&mut self, rec: &RecDesc) {
        let RecDesc { action, size, offset, arg, uarg, format } = rec;
        self.u32(u32::from(*action));
        self.u32(*size);
        self.u32(*offset);
        self.u64(*arg);
        self.u64(*uarg);
        self.u64(*format);
    }
    fn probe(&mut self, probe: &ProbeName) {
        self.u32(probe.id);
        for part in [&probe.provider, &probe.module, &probe.function, &probe.name] {
            self.bytes(part.as_bytes());
        }
    }
}

/// Appends a message.
pub fn write(out: &mut Vec<u8>, message: &Message) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    body(&mut Writer { out }, message);
    let len = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&len.to_ne_bytes());
}

fn body(w: &mut Writer<'_>, message: &Message) {
    match message {
        Message::Ready { matches, stability, options, pids, act_base, oracle } => {
            w.u8(0);
            w.u32(matches.len() as u32);
            matches.iter().for_each(|n| w.u32(*n));
            w.u32(stability.len() as u32);
            stability.iter().flatten().for_each(|n| w.u8(*n));
            w.u32(options.len() as u32);
            for (name, value) in options {
                w.bytes(name.as_bytes());
                w.u64(*value as u64);
            }
            w.u32(pids.len() as u32);
            pids.iter().for_each(|n| w.u32(*n));
            w.u64(*act_base);
            w.u8(u8::from(*oracle));
        }
        Message::Failed { stage, index, errno, text } => {
            w.u8(1);
            w.u8(*stage as u8);
            w.u32(*index);
            w.u32(*errno as u32);
            w.bytes(text.as_bytes());
        }
        Message::Clause { clause, recs } => {
            w.u8(2);
            w.u32(*clause);
            w.u32(recs.len() as u32);
            for rec in recs {
                w.rec(&rec.desc);
                w.u8(u8::from(rec.format.is_some()));
                w.bytes(rec.format.as_deref().unwrap_or("").as_bytes());
            }
        }
        Message::Probe(probe) => {
            w.u8(3);
            w.probe(probe);
        }
        Message::Record { probe, clause, cpu, data, texts } => {
            w.u8(4);
            w.u32(*probe);
            w.u32(*clause);
            w.u32(*cpu);
            w.bytes(data);
            w.u32(texts.len() as u32);
            for (index, text) in texts {
                w.u32(*index);
                w.bytes(text);
            }
        }
        Message::Element(e) => {
            w.u8(5);
            w.bytes(e.name.as_bytes());
            w.u64(e.variable as u64);
            w.u32(u32::from(e.action));
            w.u64(e.signature);
            w.u32(e.keys.len() as u32);
            e.keys.iter().for_each(|rec| w.rec(rec));
            w.bytes(&e.key);
            w.bytes(&e.value);
        }
        Message::Totals => w.u8(6),
        Message::Name { pid, addr, text } => {
            w.u8(7);
            w.u8(u8::from(pid.is_some()));
            w.u32(pid.unwrap_or(0));
            w.u64(*addr);
            w.bytes(text.as_bytes());
        }
        Message::Drop { kind, cpu, count } => {
            w.u8(8);
            w.u32(*kind as u32);
            w.u32(*cpu);
            w.u64(*count);
        }
        Message::Fault(e) => {
            w.u8(9);
            w.probe(&e.probe);
            for n in [e.cpu, e.action as u32, e.offset as u32, e.fault as u32] {
                w.u32(n);
            }
            w.u64(e.addr);
            w.bytes(e.message.as_bytes());
        }
        Message::TargetExited { pid, reason } => {
            w.u8(10);
            w.u32(*pid);
            w.bytes(reason.as_bytes());
        }
        Message::Warning(text) => {
            w.u8(11);
            w.bytes(text.as_bytes());
        }
        Message::Library { path, family, version } => {
            w.u8(14);
            [path, family, version].iter().for_each(|text| w.bytes(text.as_bytes()));
        }
        Message::Alive => w.u8(12),
        Message::Stopped => w.u8(13),
    }
}

/// The stream is not what the worker writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Reads fields; every access is checked.
struct Reader<'a> {
    left: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.left.split_at_checked(n).ok_or(Malformed)?;
        self.left = rest;
        Ok(head)
    }
    fn u8(&mut self) -> Result<u8, Malformed> {
        self.take(1)?.first().copied().ok_or(Malformed)
    }
    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_ne_bytes(self.take(4)?.try_into().map_err(|_| Malformed)?))
    }
    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_ne_bytes(self.take(8)?.try_into().map_err(|_| Malformed)?))
    }
    fn bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = self.u32()? as usize;
        self.take(len)
    }
    fn text(&mut self) -> Result<String, Malformed> {
        Ok(String::from_utf8_lossy(self.bytes()?).into_owned())
    }
    /// A count of things that are at least `least` bytes each, so that no count makes us allocate more than was sent.
    fn count(&mut self, least: usize) -> Result<usize, Malformed> {
        let n = self.u32()? as usize;
        if n.saturating_mul(least) > self.left.len() { Err(Malformed) } else { Ok(n) }
    }
    fn rec(&mut self) -> Result<RecDesc, Malformed> {
        Ok(RecDesc {
            action: self.u32()? as u16,
            size: self.u32()?,
            offset: self.u32()?,
            arg: self.u64()?,
            uarg: self.u64()?,
            format: self.u64()?,
        })
    }
    fn probe(&mut self) -> Result<ProbeName, Malformed> {
        Ok(ProbeName {
            id: self.u32()?,
            provider: self.text()?,
            module: self.text()?,
            function: self.text()?,
            name: self.text()?,
        })
    }
}

/// Takes the first message of `bytes`: it and its length, or `None` if it is not all there.
pub fn read(bytes: &[u8]) -> Result<Option<(Message, usize)>, Malformed> {
    let Some(head) = bytes.first_chunk::<4>() else { return Ok(None) };
    let len = u32::from_ne_bytes(*head) as usize;
    if len > MAX_FRAME {
        return Err(Malformed);
    }
    let Some(frame) = bytes.get(4..4 + len) else { return Ok(None) };
    let mut r = Reader { left: frame };
    let message = message(&mut r)?;
    if !r.left.is_empty() {
        return Err(Malformed);
    }
    Ok(Some((message, 4 + len)))
}

fn message(r: &mut Reader<'_>) -> Result<Message, Malformed> {
    Ok(match r.u8()? {
        0 => Message::Ready {
            matches: (0..r.count(4)?).map(|_| r.u32()).collect::<Result<_, _>>()?,
            stability: (0..r.count(6)?)
                .map(|_| r.take(6)?.try_into().map_err(|_| Malformed))
                .collect::<Result<_, _>>()?,
            options: (0..r.count(12)?).map(|_| Ok((r.text()?, r.u64()? as i64))).collect::<Result<_, _>>()?,
            pids: (0..r.count(4)?).map(|_| r.u32()).collect::<Result<_, _>>()?,
            act_base: r.u64()?,
            oracle: r.u8()? != 0,
        },
        1 => Message::Failed {
            stage: *STAGES.get(r.u8()? as usize).ok_or(Malformed)?,
            index: r.u32()?,
            errno: r.u32()? as i32,
            text: r.text()?,
        },
        2 => {
            let clause = r.u32()?;
            let mut recs = Vec::new();
            for _ in 0..r.count(41)? {
                let desc = r.rec()?;
                let has_format = r.u8()? != 0;
                let format = r.text()?;
                recs.push(Rec { desc, format: has_format.then_some(format) });
            }
            Message::Clause { clause, recs }
        }
        3 => Message::Probe(r.probe()?),
        4 => Message::Record {
            probe: r.u32()?,
            clause: r.u32()?,
            cpu: r.u32()?,
            data: r.bytes()?.to_vec(),
            texts: (0..r.count(8)?).map(|_| Ok((r.u32()?, r.bytes()?.to_vec()))).collect::<Result<_, _>>()?,
        },
        5 => Message::Element(RawElement {
            name: r.text()?,
            variable: r.u64()? as i64,
            action: r.u32()? as u16,
            signature: r.u64()?,
            keys: (0..r.count(36)?).map(|_| r.rec()).collect::<Result<_, _>>()?,
            key: r.bytes()?.to_vec(),
            value: r.bytes()?.to_vec(),
        }),
        6 => Message::Totals,
        7 => {
            let is_user = r.u8()? != 0;
            let pid = r.u32()?;
            Message::Name { pid: is_user.then_some(pid), addr: r.u64()?, text: r.text()? }
        }
        8 => Message::Drop { kind: r.u32()? as i32, cpu: r.u32()?, count: r.u64()? },
        9 => Message::Fault(ErrData {
            probe: r.probe()?,
            cpu: r.u32()?,
            action: r.u32()? as i32,
            offset: r.u32()? as i32,
            fault: r.u32()? as i32,
            addr: r.u64()?,
            message: r.text()?,
        }),
        10 => Message::TargetExited { pid: r.u32()?, reason: r.text()? },
        11 => Message::Warning(r.text()?),
        12 => Message::Alive,
        13 => Message::Stopped,
        14 => Message::Library { path: r.text()?, family: r.text()?, version: r.text()? },
        _ => return Err(Malformed),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A small generator of numbers with a fixed seed.
    pub(crate) struct Random(pub u64);

    impl Random {
        pub fn next(&mut self) -> u64 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            self.0
        }
        pub fn below(&mut self, n: u64) -> u64 {
            self.next() % n.max(1)
        }
        pub fn bytes(&mut self, n: usize) -> Vec<u8> {
            (0..n).map(|_| self.next() as u8).collect()
        }
    }

    pub(crate) fn samples() -> Vec<Message> {
        let desc = RecDesc { action: 3, size: 8, offset: 16, arg: 1, uarg: 2, format: 3 };
        let probe = ProbeName { id: 7, provider: "p".into(), ..ProbeName::default() };
        vec![
            Message::Ready {
                matches: vec![1, 2],
                stability: vec![[1, 2, 3, 4, 5, 0]],
                options: vec![("quiet".into(), 1)],
                pids: vec![9],
                act_base: 48,
                oracle: true,
            },
            Message::Failed { stage: Stage::Compile, index: 1, errno: -3, text: "no".into() },
            Message::Clause { clause: 2, recs: vec![Rec { desc: desc.clone(), format: Some("%d".into()) }] },
            Message::Probe(probe.clone()),
            Message::Record { probe: 7, clause: 2, cpu: 1, data: vec![1, 2, 3], texts: vec![(0, vec![65])] },
            Message::Element(RawElement {
                name: "a".into(),
                variable: 1,
                action: 0x701,
                signature: 4,
                keys: vec![desc],
                key: vec![0; 8],
                value: vec![0; 8],
            }),
            Message::Totals,
            Message::Name { pid: Some(3), addr: 4, text: "a`b".into() },
            Message::Drop { kind: 0, cpu: 1, count: 2 },
            Message::Fault(ErrData { probe, fault: 1, ..ErrData::default() }),
            Message::TargetExited { pid: 3, reason: String::new() },
            Message::Warning("w".into()),
            Message::Library { path: "/l".into(), family: "oracle".into(), version: "2".into() },
            Message::Alive,
            Message::Stopped,
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        let mut out = Vec::new();
        samples().iter().for_each(|message| write(&mut out, message));
        let mut at = 0;
        for expected in samples() {
            let (message, len) = read(&out[at..]).unwrap().unwrap();
            assert_eq!(message, expected);
            at += len;
        }
        assert_eq!(at, out.len());
        assert_eq!(read(&out[at..]), Ok(None));
    }

    #[test]
    fn cut_or_damaged_frames_never_panic() {
        let mut random = Random(0x5eed_0001);
        for message in samples() {
            let mut out = Vec::new();
            write(&mut out, &message);
            for end in 0..out.len() {
                assert_eq!(read(&out[..end]), Ok(None));
            }
            for _ in 0..2000 {
                let mut bad = out.clone();
                for _ in 0..=random.below(3) {
                    let at = random.below(bad.len() as u64) as usize;
                    bad[at] = random.next() as u8;
                }
                let _ = read(&bad);
                // The same with a right length, so that the fields are reached.
                let len = (bad.len() - 4) as u32;
                bad[..4].copy_from_slice(&len.to_ne_bytes());
                let _ = read(&bad);
            }
        }
        for _ in 0..2000 {
            let n = random.below(64) as usize;
            let _ = read(&random.bytes(n));
        }
    }
}
