//! `io`: requests to block devices.

use super::composite::{Composite, field, one_of, word};
use crate::btf::Btf;
use crate::codegen::{ArgSource, Test};

/// Types of files as the upper bits of a mode have them: directories, files, links.
const NAMED: [i32; 3] = [4, 8, 10];

/// The probes, at the kernel's own accounting of requests.
pub fn probes(btf: &Btf) -> Vec<Composite> {
    // Before 6.5 it did not account: there are the hand-over to the driver and the completion.
    let request = |name, tracepoint, before| {
        Composite::new(name, tracepoint)
            .or(before)
            .translated("bufinfo_t *", "struct request *", word(0))
            .also("devinfo_t *", "struct request *")
            // Where the kernel's structures are others than we know, no request has a file.
            .translated("fileinfo_t *", "struct dentry *", dentry(btf).or(Some(ArgSource::Const(0))))
    };
    vec![
        request("start", "block_io_start", "block_rq_issue"),
        request("done", "block_io_done", "block_rq_complete"),
    ]
}

/// One of the names of the file that the first page of a request belongs to; 0 where it is none of a file's.
///
/// What cannot be read is 0, and so is what is read of 0. A page may be part of a larger one, which then has the file
/// (`compound_head` without its lowest bit). The pages of processes, for direct requests and for swapping, have other mappings
/// (their lowest bits are set); those of metadata are of the device's own file, which has no name. A request that is done
/// has no pages any more.
fn dentry(btf: &Btf) -> Option<ArgSource> {
    let low = |from, mask| Some(ArgSource::Bits { from: Box::new(from), shift: 0, mask });
    let select = |test, yes, no| Some(ArgSource::Select(Box::new(test), Box::new(yes), Box::new(no)));
    let bio = field(btf, word(0), "request", "bio");
    let vector = field(btf, bio, "bio", "bi_io_vec");
    let page = field(btf, vector, "bio_vec", "bv_page")?;
    let head = field(btf, Some(page.clone()), "page", "compound_head")?;
    let first = ArgSource::Sum(Box::new(head.clone()), Box::new(ArgSource::Const(-1)));
    let whole = select(Test::is(low(head, 1)?, 1), first, page);
    let mapping = field(btf, whole, "page", "mapping")?;
    let inode = field(btf, Some(mapping.clone()), "address_space", "host")?;
    let mode = field(btf, Some(inode.clone()), "inode", "i_mode")?;
    let link = field(btf, Some(inode), "inode", "i_dentry.first")?;
    let within = btf.field("dentry", "d_u.d_alias")?.offset;
    let dentry = ArgSource::Sum(Box::new(link.clone()), Box::new(ArgSource::Const(-i64::from(within))));
    let none = || ArgSource::Const(0);
    let kind = ArgSource::Bits { from: Box::new(mode), shift: 12, mask: 0xf };
    let linked = select(Test::is_not(link, 0), dentry, none())?;
    let named = select(one_of(Some(kind), &NAMED)?, linked, none())?;
    select(Test::is(low(mapping, 3)?, 0), named, none())
}
