//! Leaving attachments behind without waiting for them.
//!
//! Closing a link of uprobes waits until no processor can be in its program any more: 20 to 90 ms each, one after the
//! other, before the process may end. Nobody needs to wait for that: the programs are disarmed and all is read. So the
//! links are put into a socket that nothing refers to but itself: the kernel finds such garbage as soon as any socket is
//! closed, and takes it away in a worker of its own (net/unix/garbage.c; in the closing process itself before Linux
//! 6.10, which then waits as before). Nothing stays behind: what the kernel holds, it frees.

use super::link::Link;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Descriptors of a message at most (`SCM_MAX_FD` of include/net/scm.h is 253).
const MOST: usize = 250;

/// Closes links at leisure. What cannot be given away is closed here and now.
pub fn leave(links: Vec<Link>) {
    let descriptors: Vec<OwnedFd> = links.into_iter().flat_map(Link::into_descriptors).collect();
    if descriptors.is_empty() {
        return;
    }
    let Ok((sender, keeper)) = UnixStream::pair() else { return };
    // The socket in its own queue is what makes it garbage once it is closed.
    if !send(&sender, &[keeper.as_raw_fd()]) {
        return;
    }
    let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    // Those of a message that did not go are closed below, by the last reference to them.
    raw.chunks(MOST).all(|some| send(&sender, some));
    drop(descriptors);
    drop(keeper);
    drop(sender);
}

/// Sends descriptors with one byte, without waiting. Did it go?
fn send(socket: &UnixStream, descriptors: &[RawFd]) -> bool {
    let bytes = size_of_val(descriptors) as u32;
    // SAFETY: plain arithmetic on a length.
    let space = unsafe { libc::CMSG_SPACE(bytes) } as usize;
    // Aligned as a header has to be.
    let mut control = vec![0u64; space.div_ceil(8)];
    let mut byte = 0u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: all zeroes are a valid empty header.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = space as _;
    // SAFETY: the header and its data lie within `control`, which has CMSG_SPACE of the descriptors; all that the message
    // points to outlives the call.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null() {
            return false;
        }
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(bytes) as _;
        let to = libc::CMSG_DATA(header);
        std::ptr::copy_nonoverlapping(descriptors.as_ptr().cast::<u8>(), to, bytes as usize);
        libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::{Duration, Instant};

    #[test]
    fn what_is_left_is_closed_soon() {
        // As links: descriptors whose closing can be seen from here.
        let (mut reader, writer) = std::io::pipe().expect("pipe");
        let links = (0..300).map(|_| Link::of(writer.try_clone().expect("dup").into())).collect();
        drop(writer);
        let started = Instant::now();
        leave(links);
        // Ends when the last writer is closed.
        let mut text = Vec::new();
        reader.read_to_end(&mut text).expect("read");
        assert!(text.is_empty() && started.elapsed() < Duration::from_secs(20));
    }
}
