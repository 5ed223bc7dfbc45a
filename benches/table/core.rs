//! One core for both ends of a connection.

/// This thread, and all threads and processes that it starts from now on, stay on the core that it is on. Where the
/// scheduler puts a server's thread decides about more than half of a request over loopback, and differs from one
/// connection to the next: left alone, it would be the scheduler that is measured.
#[cfg(target_os = "linux")]
pub fn stay() {
    use std::ffi::{c_int, c_ulong};
    use std::mem;

    unsafe extern "C" {
        safe fn sched_getcpu() -> c_int;
        fn sched_setaffinity(pid: c_int, size: usize, mask: *const c_ulong) -> c_int;
    }

    let core = usize::try_from(sched_getcpu()).expect("a core");
    let mut mask = [0; 1024 / c_ulong::BITS as usize];
    mask[core / c_ulong::BITS as usize] = 1 << (core % c_ulong::BITS as usize);
    // SAFETY: the mask is as large as stated, and only read. 0 is this thread.
    let failed = unsafe { sched_setaffinity(0, mem::size_of_val(&mask), mask.as_ptr()) };
    assert_eq!(failed, 0, "the core that this thread runs on is allowed");
}

#[cfg(not(target_os = "linux"))]
pub fn stay() {}
