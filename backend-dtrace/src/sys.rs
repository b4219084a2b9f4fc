//! libdtrace's functions, found at run time, and the few of the C library that go with them.
//!
//! Only the worker process calls any of this. Signatures are written out by hand from the systems' headers;
//! where families differ in a signature there is a method that takes what both need.
// Handles are opaque: only the library, which made them, looks behind them.
#![allow(clippy::not_unsafe_ptr_arg_deref)]

use crate::abi::{Family, ProgInfo};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;

/// An opaque handle of the library: `dtrace_hdl_t *`, a program, a process.
pub type Handle = *mut c_void;
/// A `FILE *`.
pub type File = *mut libc::FILE;
/// A callback with the library's data and ours.
pub type DataFn = unsafe extern "C" fn(*const c_void, *mut c_void) -> c_int;
/// The callback for a record.
pub type RecFn = unsafe extern "C" fn(*const c_void, *const c_void, *mut c_void) -> c_int;
/// The callback for a probe of `dtrace_probe_iter()`, and for a statement of `dtrace_stmt_iter()` in its long form.
pub type ProbeFn = unsafe extern "C" fn(Handle, *const c_void, *mut c_void) -> c_int;
/// The callback for a statement.
pub type StatementFn = unsafe extern "C" fn(Handle, Handle, *const c_void, *mut c_void) -> c_int;
/// The callback for what happens to a process: the first argument is a pid (Oracle) or a process handle (Sun).
pub type ProcFn = unsafe extern "C" fn(*const c_void, *const c_char, *mut c_void);

unsafe extern "C" {
    fn open_memstream(text: *mut *mut c_char, size: *mut usize) -> File;
    fn fmemopen(buffer: *mut c_void, size: usize, mode: *const c_char) -> File;
}

macro_rules! functions {
    ($($(#[$meta:meta])* $field:ident = $symbol:literal: $ty:ty;)*) => {
        /// What every family exports.
        struct Functions { $($(#[$meta])* $field: $ty,)* }

        impl Functions {
            /// # Safety
            /// `library` is a handle of `dlopen()` of a libdtrace.
            unsafe fn find(library: *mut c_void) -> Result<Functions, String> {
                let mut missing = Vec::new();
                $(let $field = find(library, $symbol).unwrap_or_else(|| { missing.push($symbol); ptr::null_mut() });)*
                if !missing.is_empty() {
                    return Err(missing.join(", "));
                }
                // SAFETY: none is NULL, and each symbol has the type that the headers give it.
                Ok(unsafe { Functions { $($field: std::mem::transmute::<*mut c_void, $ty>($field),)* } })
            }
        }
    };
}

functions! {
    open = "dtrace_open": unsafe extern "C" fn(c_int, c_int, *mut c_int) -> Handle;
    errno = "dtrace_errno": unsafe extern "C" fn(Handle) -> c_int;
    errmsg = "dtrace_errmsg": unsafe extern "C" fn(Handle, c_int) -> *const c_char;
    setopt = "dtrace_setopt": unsafe extern "C" fn(Handle, *const c_char, *const c_char) -> c_int;
    getopt = "dtrace_getopt": unsafe extern "C" fn(Handle, *const c_char, *mut i64) -> c_int;
    strcompile = "dtrace_program_strcompile":
        unsafe extern "C" fn(Handle, *const c_char, c_int, u32, c_int, *const *const c_char) -> Handle;
    fcompile = "dtrace_program_fcompile":
        unsafe extern "C" fn(Handle, File, u32, c_int, *const *const c_char) -> Handle;
    exec = "dtrace_program_exec": unsafe extern "C" fn(Handle, Handle, *mut ProgInfo) -> c_int;
    stmt_iter = "dtrace_stmt_iter": unsafe extern "C" fn(Handle, Handle, StatementFn, *mut c_void) -> c_int;
    work = "dtrace_work": unsafe extern "C" fn(Handle, File, DataFn, RecFn, *mut c_void) -> c_int;
    stop = "dtrace_stop": unsafe extern "C" fn(Handle) -> c_int;
    snap = "dtrace_aggregate_snap": unsafe extern "C" fn(Handle) -> c_int;
    walk = "dtrace_aggregate_walk": unsafe extern "C" fn(Handle, DataFn, *mut c_void) -> c_int;
    handle_err = "dtrace_handle_err": unsafe extern "C" fn(Handle, DataFn, *mut c_void) -> c_int;
    handle_drop = "dtrace_handle_drop": unsafe extern "C" fn(Handle, DataFn, *mut c_void) -> c_int;
    handle_proc = "dtrace_handle_proc": unsafe extern "C" fn(Handle, ProcFn, *mut c_void) -> c_int;
    proc_continue = "dtrace_proc_continue": unsafe extern "C" fn(Handle, Handle);
    proc_release = "dtrace_proc_release": unsafe extern "C" fn(Handle, Handle);
    probe_iter = "dtrace_probe_iter":
        unsafe extern "C" fn(Handle, *const c_void, Option<ProbeFn>, *mut c_void) -> c_int;
    str2desc = "dtrace_str2desc": unsafe extern "C" fn(Handle, c_int, *const c_char, *mut c_void) -> c_int;
    addr2str = "dtrace_addr2str": unsafe extern "C" fn(Handle, u64, *mut c_char, c_int) -> c_int;
    uaddr2str = "dtrace_uaddr2str": unsafe extern "C" fn(Handle, libc::pid_t, u64, *mut c_char, c_int) -> c_int;
    printf_format = "dtrace_printf_format":
        unsafe extern "C" fn(Handle, *const c_void, *mut c_char, usize) -> usize;
}

/// A symbol of a library.
fn find(library: *mut c_void, symbol: &str) -> Option<*mut c_void> {
    let name = CString::new(symbol).ok()?;
    // SAFETY: a handle of dlopen() and a C string; the answer is NULL where there is no such symbol.
    let found = unsafe { libc::dlsym(library, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// What went wrong in the library: its number and its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibError {
    pub errno: i32,
    pub message: String,
}

/// An opened libdtrace with one handle.
pub struct Library {
    library: *mut c_void,
    functions: Functions,
    /// Whose it is.
    pub family: Family,
    handle: Handle,
    /// Where the library prints what only it can print.
    pub stream: Stream,
}

/// Where the library is looked for, in this order.
pub fn candidates() -> &'static [&'static str] {
    if cfg!(target_os = "macos") {
        &["/usr/lib/libdtrace.dylib", "libdtrace.dylib"]
    } else if cfg!(target_os = "illumos") || cfg!(target_os = "solaris") {
        &["libdtrace.so.1"]
    } else {
        &["libdtrace.so.2", "libdtrace.so"]
    }
}

/// `DTRACE_VERSION`.
const VERSION: c_int = 3;

impl Library {
    /// Opens the library at a path (or where it usually is) and a handle. `family` overrules what its symbols tell.
    pub fn open(path: Option<&str>, family: Option<Family>) -> Result<Library, String> {
        let names: Vec<&str> = path.map_or_else(|| candidates().to_vec(), |path| vec![path]);
        let mut reasons = Vec::new();
        let mut library = ptr::null_mut();
        for name in names {
            let Ok(file) = CString::new(name) else { continue };
            // SAFETY: a C string; loading runs the library's initialisers, which is what opening it means.
            library = unsafe { libc::dlopen(file.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
            if !library.is_null() {
                break;
            }
            // SAFETY: dlerror() answers NULL or a C string that is valid until the next call.
            reasons.push(unsafe { crate::abi::text(libc::dlerror()) });
        }
        if library.is_null() {
            return Err(format!("cannot load libdtrace: {}", reasons.join("; ")));
        }
        // SAFETY: the handle of dlopen().
        let functions = unsafe { Functions::find(library) }
            .map_err(|missing| format!("not a libdtrace that is known: it lacks {missing}"))?;
        let family = family.unwrap_or_else(|| match find(library, "dtrace_proc_grab_pid") {
            Some(_) => Family::Oracle,
            None => Family::native_sun(),
        });
        let mut error = 0;
        // SAFETY: the version that the declarations are of, no flags, and a place for the error.
        let handle = unsafe { (functions.open)(VERSION, 0, &mut error) };
        if handle.is_null() {
            // SAFETY: without a handle the library tells what an error number means.
            let words = unsafe { crate::abi::text((functions.errmsg)(ptr::null_mut(), error)) };
            return Err(format!("failed to initialize dtrace: {words}"));
        }
        let stream = Stream::open().ok_or("out of memory")?;
        Ok(Library { library, functions, family, handle, stream })
    }

    /// The file that the library was loaded from.
    pub fn path(&self) -> String {
        // SAFETY: a zeroed Dl_info is a valid value, which dladdr() fills for the address of a function; the name is a C
        // string of the loader's.
        unsafe {
            let mut info: libc::Dl_info = std::mem::zeroed();
            let found = libc::dladdr(self.functions.open as *const c_void, &mut info);
            if found == 0 { String::new() } else { crate::abi::text(info.dli_fname) }
        }
    }

    /// What the library calls its version.
    pub fn version(&self) -> String {
        match self.symbol("_dtrace_version") {
            // SAFETY: `extern const char *_dtrace_version`, in every family.
            Ok(place) => unsafe { crate::abi::text(*place.cast::<*const c_char>()) },
            Err(_) => "not told".to_string(),
        }
    }

    fn symbol(&self, name: &str) -> Result<*mut c_void, LibError> {
        find(self.library, name)
            .ok_or_else(|| LibError { errno: -1, message: format!("this libdtrace has no {name}()") })
    }

    /// The last error.
    pub fn error(&self) -> LibError {
        // SAFETY: the handle is open; the message is a C string of the library.
        unsafe {
            let errno = (self.functions.errno)(self.handle);
            LibError { errno, message: crate::abi::text((self.functions.errmsg)(self.handle, errno)) }
        }
    }

    fn check(&self, status: c_int) -> Result<(), LibError> {
        if status == -1 { Err(self.error()) } else { Ok(()) }
    }

    /// Sets an option by name.
    pub fn setopt(&self, name: &str, value: Option<&str>) -> Result<(), LibError> {
        let (name, value) = (c_string(name), value.map(c_string));
        let value = value.as_ref().map_or(ptr::null(), |v| v.as_ptr());
        // SAFETY: C strings, or NULL for no value.
        self.check(unsafe { (self.functions.setopt)(self.handle, name.as_ptr(), value) })
    }

    /// The number that an option stands at; `None` if it is not set, or has none.
    pub fn getopt(&self, name: &str) -> Option<i64> {
        let name = c_string(name);
        // Room for a library that believes options to be wider than we do.
        let mut value = [0i64; 4];
        // SAFETY: a C string and a place that is large enough.
        let status = unsafe { (self.functions.getopt)(self.handle, name.as_ptr(), value.as_mut_ptr()) };
        (status != -1 && value[0] != -2).then_some(value[0])
    }

    /// Oracle: reads what there is to be known of the system, after the options and the processes.
    pub fn init(&self) -> Result<(), LibError> {
        let Ok(symbol) = self.symbol("dtrace_init") else { return Ok(()) };
        // SAFETY: Oracle's prototype; other families do not have the function.
        let status = unsafe {
            let call: unsafe extern "C" fn(Handle) -> c_int = std::mem::transmute(symbol);
            call(self.handle)
        };
        self.check(status)
    }

    /// Compiles a description (`-n`, `-P`, …) with its clause.
    pub fn compile_text(
        &self,
        text: &str,
        spec: i32,
        flags: u32,
        args: &[CString],
    ) -> Result<Handle, LibError> {
        let (text, argv) = (c_string(text), argv(args));
        // SAFETY: a C string and an array of C strings that ends with NULL; the library copies what it keeps, or
        // keeps pointers to the arguments, which live as long as the worker (see `worker::Job`).
        let program = unsafe {
            let count = args.len() as c_int;
            (self.functions.strcompile)(self.handle, text.as_ptr(), spec, flags, count, argv.as_ptr())
        };
        if program.is_null() { Err(self.error()) } else { Ok(program) }
    }

    /// Compiles a script.
    pub fn compile_script(&self, text: &str, flags: u32, args: &[CString]) -> Result<Handle, LibError> {
        let argv = argv(args);
        let mut bytes = text.as_bytes().to_vec();
        if bytes.is_empty() {
            // fmemopen() of nothing is an error in some C libraries.
            bytes.push(b'\n');
        }
        // SAFETY: the stream reads `bytes`, which outlives it; the arguments are as in `compile_text`.
        let program = unsafe {
            let file = fmemopen(bytes.as_mut_ptr().cast(), bytes.len(), c"r".as_ptr());
            if file.is_null() {
                return Err(LibError { errno: -1, message: "out of memory".into() });
            }
            let count = args.len() as c_int;
            let program = (self.functions.fcompile)(self.handle, file, flags, count, argv.as_ptr());
            libc::fclose(file);
            program
        };
        if program.is_null() { Err(self.error()) } else { Ok(program) }
    }

    /// Enables a program: what it matched.
    pub fn exec(&self, program: Handle) -> Result<ProgInfo, LibError> {
        let mut info = ProgInfo::default();
        // SAFETY: a program of this handle, and a place with room to spare.
        let status = unsafe { (self.functions.exec)(self.handle, program, &mut info) };
        self.check(status).map(|()| info)
    }

    /// Calls back for every statement.
    pub fn statements(&self, program: Handle, f: StatementFn, arg: *mut c_void) -> Result<(), LibError> {
        // SAFETY: a program of this handle; the callback knows what `arg` is.
        self.check(unsafe { (self.functions.stmt_iter)(self.handle, program, f, arg) })
    }

    /// Starts tracing.
    pub fn go(&self) -> Result<(), LibError> {
        let symbol = self.symbol("dtrace_go")?;
        // SAFETY: the family's prototype: Oracle's takes compile flags for the ERROR clause.
        let status = unsafe {
            if self.family.is_oracle() {
                let call: unsafe extern "C" fn(Handle, u32) -> c_int = std::mem::transmute(symbol);
                call(self.handle, 0)
            } else {
                let call: unsafe extern "C" fn(Handle) -> c_int = std::mem::transmute(symbol);
                call(self.handle)
            }
        };
        self.check(status)
    }

    /// Waits until there may be something to do (Oracle's waits within [`Library::work`]).
    pub fn sleep(&self) {
        if let Ok(symbol) = self.symbol("dtrace_sleep") {
            // SAFETY: the Sun family's prototype; Oracle's has no such function.
            unsafe {
                let call: unsafe extern "C" fn(Handle) = std::mem::transmute(symbol);
                call(self.handle);
            }
        }
    }

    /// Consumes: `Ok(true)` when tracing is over.
    pub fn work(&self, probe: DataFn, record: RecFn, arg: *mut c_void) -> Result<bool, LibError> {
        // SAFETY: callbacks that know what `arg` is.
        let status = unsafe { (self.functions.work)(self.handle, self.stream.file, probe, record, arg) };
        self.check(status).map(|()| status == crate::abi::WORK_DONE)
    }

    /// Stops tracing; END fires.
    pub fn stop(&self) -> Result<(), LibError> {
        // SAFETY: the handle is open.
        self.check(unsafe { (self.functions.stop)(self.handle) })
    }

    /// Brings the library's copy of the aggregations up to date, then calls back for every element.
    pub fn aggregations(&self, f: DataFn, arg: *mut c_void) -> Result<(), LibError> {
        // SAFETY: the callback knows what `arg` is.
        self.check(unsafe { (self.functions.snap)(self.handle) })?;
        // SAFETY: as above.
        self.check(unsafe { (self.functions.walk)(self.handle, f, arg) })
    }

    /// Sets the handlers for errors, drops and processes. Without one for errors tracing works all the same (under
    /// `-xnolibs` it cannot be set).
    pub fn handlers(
        &self,
        error: DataFn,
        drop: DataFn,
        process: ProcFn,
        arg: *mut c_void,
    ) -> Result<(), LibError> {
        // SAFETY: callbacks that know what `arg` is.
        unsafe {
            self.check((self.functions.handle_drop)(self.handle, drop, arg))?;
            self.check((self.functions.handle_proc)(self.handle, process, arg))?;
            self.check((self.functions.handle_err)(self.handle, error, arg))
        }
    }

    /// Starts a command, stopped before its first instruction.
    pub fn create(&self, words: &[CString]) -> Result<Handle, LibError> {
        let symbol = self.symbol("dtrace_proc_create")?;
        let argv = argv(words);
        let file = argv.first().copied().unwrap_or(ptr::null());
        type Three = unsafe extern "C" fn(Handle, *const c_char, *const *const c_char) -> Handle;
        type Flags = unsafe extern "C" fn(Handle, *const c_char, *const *const c_char, c_int) -> Handle;
        type Child = unsafe extern "C" fn(
            Handle,
            *const c_char,
            *const *const c_char,
            *const c_void,
            *const c_void,
        ) -> Handle;
        // SAFETY: the family's prototype; C strings in an array that ends with NULL.
        let process = unsafe {
            match self.family {
                Family::Oracle => {
                    std::mem::transmute::<*mut c_void, Flags>(symbol)(self.handle, file, argv.as_ptr(), 0)
                }
                Family::FreeBsd => std::mem::transmute::<*mut c_void, Child>(symbol)(
                    self.handle,
                    file,
                    argv.as_ptr(),
                    ptr::null(),
                    ptr::null(),
                ),
                _ => std::mem::transmute::<*mut c_void, Three>(symbol)(self.handle, file, argv.as_ptr()),
            }
        };
        if process.is_null() { Err(self.error()) } else { Ok(process) }
    }

    /// Takes hold of a running process.
    pub fn grab(&self, pid: u32) -> Result<Handle, LibError> {
        let name = if self.family.is_oracle() { "dtrace_proc_grab_pid" } else { "dtrace_proc_grab" };
        let symbol = self.symbol(name)?;
        // SAFETY: both have this prototype.
        let process = unsafe {
            let call: unsafe extern "C" fn(Handle, libc::pid_t, c_int) -> Handle =
                std::mem::transmute(symbol);
            call(self.handle, pid as libc::pid_t, 0)
        };
        if process.is_null() { Err(self.error()) } else { Ok(process) }
    }

    /// The pid of a process that was created; 0 where the library does not tell.
    pub fn pid(&self, process: Handle) -> u32 {
        type Own = unsafe extern "C" fn(Handle, Handle) -> libc::pid_t;
        type Proc = unsafe extern "C" fn(Handle) -> libc::pid_t;
        type Status = unsafe extern "C" fn(Handle) -> *const c_int;
        // SAFETY: Oracle's function takes handle and process; FreeBSD's libproc has proc_getpid(); in the other
        // systems' `pstatus_t` pr_pid is the third number (int pr_flags, int pr_nlwp, pid_t pr_pid).
        let pid = unsafe {
            if let Ok(symbol) = self.symbol("dtrace_proc_getpid") {
                std::mem::transmute::<*mut c_void, Own>(symbol)(self.handle, process)
            } else if let Ok(symbol) = self.symbol("proc_getpid") {
                std::mem::transmute::<*mut c_void, Proc>(symbol)(process)
            } else if let Ok(symbol) = self.symbol("Pstatus") {
                let status = std::mem::transmute::<*mut c_void, Status>(symbol)(process);
                if status.is_null() { 0 } else { *status.add(2) }
            } else {
                0
            }
        };
        u32::try_from(pid).unwrap_or(0)
    }

    /// Lets a process run.
    pub fn resume(&self, process: Handle) {
        // SAFETY: a process of this handle.
        unsafe { (self.functions.proc_continue)(self.handle, process) }
    }

    /// Lets go of a process.
    pub fn release(&self, process: Handle) {
        // SAFETY: a process of this handle, not used after this.
        unsafe { (self.functions.proc_release)(self.handle, process) }
    }

    /// Calls back for every probe that a description (four parts with colons) matches, or for all.
    pub fn probes(&self, description: Option<&str>, f: ProbeFn, arg: *mut c_void) -> Result<(), LibError> {
        // Larger than any family's probe description.
        let mut place = [0u64; 128];
        let mut desc = ptr::null();
        if let Some(text) = description {
            let text = c_string(text);
            // DTRACE_PROBESPEC_NAME.
            // SAFETY: a C string and a place that is large enough.
            self.check(unsafe {
                (self.functions.str2desc)(self.handle, 3, text.as_ptr(), place.as_mut_ptr().cast())
            })?;
            desc = place.as_ptr().cast::<c_void>();
        }
        // SAFETY: `place` holds the description; the callback knows what `arg` is.
        unsafe { self.probes_of(desc, f, arg) }
    }

    /// The same for a description that the library has made.
    ///
    /// # Safety
    /// `desc` is NULL or points to a probe description of this family.
    pub unsafe fn probes_of(
        &self,
        desc: *const c_void,
        f: ProbeFn,
        arg: *mut c_void,
    ) -> Result<(), LibError> {
        // SAFETY: the caller's.
        self.check(unsafe { (self.functions.probe_iter)(self.handle, desc, Some(f), arg) })
    }

    /// The name of an address: of the kernel, or of a process.
    pub fn name_of(&self, pid: Option<u32>, addr: u64) -> String {
        let mut buffer = [0 as c_char; 1024];
        let len = buffer.len() as c_int;
        // SAFETY: a buffer with its length; the last byte stays NUL.
        unsafe {
            match pid {
                Some(pid) => (self.functions.uaddr2str)(
                    self.handle,
                    pid as libc::pid_t,
                    addr,
                    buffer.as_mut_ptr(),
                    len - 1,
                ),
                None => (self.functions.addr2str)(self.handle, addr, buffer.as_mut_ptr(), len - 1),
            };
            CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
        }
    }

    /// The source of a format, from the library's format data.
    pub fn format(&self, data: u64) -> String {
        let mut buffer = vec![0 as c_char; 1024];
        let data = data as usize as *const c_void;
        for _ in 0..2 {
            // SAFETY: format data that the library attached to a record, and a buffer with its length.
            let len = unsafe {
                (self.functions.printf_format)(self.handle, data, buffer.as_mut_ptr(), buffer.len() - 1)
            };
            if len < buffer.len() - 1 || len > 1 << 24 {
                break;
            }
            buffer = vec![0; len + 2];
        }
        if let Some(last) = buffer.last_mut() {
            *last = 0;
        }
        // SAFETY: the last byte is NUL.
        unsafe { crate::abi::text(buffer.as_ptr()) }
    }
}

/// A stream into memory.
pub struct Stream {
    file: File,
    place: Box<(*mut c_char, usize)>,
}

impl Stream {
    fn open() -> Option<Stream> {
        let mut place = Box::new((ptr::null_mut(), 0));
        // SAFETY: both places live in the box, at one address, as long as the stream.
        let file = unsafe { open_memstream(&mut place.0, &mut place.1) };
        (!file.is_null()).then_some(Stream { file, place })
    }

    /// What was printed since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        // SAFETY: the stream is open; after fflush() the places hold the buffer and its length.
        unsafe {
            libc::fflush(self.file);
            if self.place.0.is_null() || self.place.1 == 0 {
                return Vec::new();
            }
            let text = std::slice::from_raw_parts(self.place.0.cast::<u8>(), self.place.1).to_vec();
            libc::fseek(self.file, 0, libc::SEEK_SET);
            text
        }
    }
}

/// A C string; a NUL within ends it.
pub fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// An array of C strings that ends with NULL.
fn argv(words: &[CString]) -> Vec<*const c_char> {
    words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
}
