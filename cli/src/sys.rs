//! The few calls of the C library that the standard library has no word for.

use duotrace_core::output::LocalTime;
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU32, Ordering};

/// How many times the user asked to stop.
static STOPS: AtomicU32 = AtomicU32::new(0);

extern "C" fn on_stop(_signal: libc::c_int) {
    STOPS.fetch_add(1, Ordering::Relaxed);
}

/// How many of SIGINT, SIGTERM, SIGHUP have come.
pub fn stops() -> u32 {
    STOPS.load(Ordering::Relaxed)
}

/// From here on SIGINT, SIGTERM and SIGHUP are counted instead of ending this process; one that
/// was ignored by whoever started us stays ignored (nohup).
pub fn watch_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: a zeroed sigaction is a valid value of this plain C struct; the handler only touches an
        // atomic, which is async-signal-safe; both pointers are to live locals.
        unsafe {
            let mut old: libc::sigaction = std::mem::zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut old);
            if old.sa_sigaction == libc::SIG_IGN {
                continue;
            }
            let mut new: libc::sigaction = std::mem::zeroed();
            new.sa_sigaction = on_stop as extern "C" fn(libc::c_int) as *const () as usize;
            // No SA_RESTART: a wait must end.
            libc::sigaction(signal, &new, std::ptr::null_mut());
        }
    }
}

/// A time in the local time zone (`localtime_r(3)`).
pub fn local_time(seconds: i64) -> Option<LocalTime> {
    // SAFETY: a zeroed tm is a valid value; localtime_r writes only to it; strftime gets a buffer with its length
    // and leaves it without a NUL only where it says that nothing was written.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        let time: libc::time_t = seconds;
        if libc::localtime_r(&time, &mut tm).is_null() {
            return None;
        }
        // Not every system's tm has the zone's name in it.
        let mut zone = [0 as libc::c_char; 64];
        let len = libc::strftime(zone.as_mut_ptr(), zone.len(), c"%Z".as_ptr(), &tm);
        let zone = if len == 0 { c"" } else { CStr::from_ptr(zone.as_ptr()) };
        Some(LocalTime {
            year: i64::from(tm.tm_year) + 1900,
            month: (tm.tm_mon + 1) as u8,
            day: tm.tm_mday as u8,
            weekday: tm.tm_wday as u8,
            hour: tm.tm_hour as u8,
            minute: tm.tm_min as u8,
            second: tm.tm_sec as u8,
            zone: zone.to_string_lossy().into_owned(),
        })
    }
}

/// The service of a port (`getservbyport(3)`).
pub fn port_name(port: u16) -> Option<String> {
    // SAFETY: a null protocol is allowed; the answer points to static data that we copy at once, and
    // only one thread of this process asks.
    unsafe {
        let entry = libc::getservbyport(i32::from(port.to_be()), std::ptr::null());
        if entry.is_null() || (*entry).s_name.is_null() {
            return None;
        }
        Some(CStr::from_ptr((*entry).s_name).to_string_lossy().into_owned())
    }
}

/// The flag that keeps `getaddrinfo()` from asking a name server (illumos' `<netdb.h>`, which the libc crate lacks).
#[cfg(any(target_os = "illumos", target_os = "solaris"))]
const AI_NUMERICHOST: libc::c_int = 0x4;
#[cfg(not(any(target_os = "illumos", target_os = "solaris")))]
const AI_NUMERICHOST: libc::c_int = libc::AI_NUMERICHOST;

/// The crate has it unsigned for some systems.
const NAME_REQUIRED: libc::c_int = libc::NI_NAMEREQD as _;

/// The host of an Internet address in text form (`getnameinfo(3)`), if it has a name.
pub fn host_name(address: &str) -> Option<String> {
    let text = CString::new(address).ok()?;
    // SAFETY: hints is zeroed and valid; getaddrinfo's list is freed once, after its last use; the
    // buffer's length is handed over with it.
    unsafe {
        let mut hints: libc::addrinfo = std::mem::zeroed();
        hints.ai_flags = AI_NUMERICHOST;
        let mut list = std::ptr::null_mut();
        if libc::getaddrinfo(text.as_ptr(), std::ptr::null(), &hints, &mut list) != 0 || list.is_null() {
            return None;
        }
        let mut host = [0 as libc::c_char; 1025];
        let failed = libc::getnameinfo(
            (*list).ai_addr,
            (*list).ai_addrlen,
            host.as_mut_ptr(),
            host.len() as _,
            std::ptr::null_mut(),
            0,
            NAME_REQUIRED,
        );
        libc::freeaddrinfo(list);
        (failed == 0).then(|| CStr::from_ptr(host.as_ptr()).to_string_lossy().into_owned())
    }
}

/// Who this process is: `$pid`, `$uid` and their kin, by name.
pub fn identities() -> Vec<(&'static str, i64)> {
    // SAFETY: these calls take nothing (getsid and getpgid of 0 mean this process) and cannot fail.
    unsafe {
        vec![
            ("pid", libc::getpid().into()),
            ("ppid", libc::getppid().into()),
            ("uid", libc::getuid().into()),
            ("euid", libc::geteuid().into()),
            ("gid", libc::getgid().into()),
            ("egid", libc::getegid().into()),
            ("pgid", libc::getpgid(0).into()),
            ("sid", libc::getsid(0).into()),
            ("projid", 0),
            ("taskid", 0),
            ("target", 0),
        ]
    }
}

/// Wall clock minus monotonic clock, in nanoseconds.
pub fn wall_offset() -> i64 {
    let read = |clock| {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a live local of the right type.
        unsafe { libc::clock_gettime(clock, &mut time) };
        time.tv_sec * 1_000_000_000 + time.tv_nsec
    };
    read(libc::CLOCK_REALTIME) - read(libc::CLOCK_MONOTONIC)
}
