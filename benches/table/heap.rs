//! Counts what this thread allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<i64> = const { Cell::new(0) };
}

fn count(allocations: u64, bytes: i64) {
    ALLOCATIONS.set(ALLOCATIONS.get() + allocations);
    BYTES.set(BYTES.get() + bytes);
}

/// No layout is larger than `isize::MAX`.
#[expect(clippy::cast_possible_wrap)]
fn signed(size: usize) -> i64 {
    size as i64
}

// SAFETY: the system's allocator does the work; counting does not allocate, and its cells have no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, -signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, signed(size) - signed(layout.size()));
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Allocations of one call, the mean of many after the first hundred.
#[expect(clippy::cast_precision_loss)]
pub fn allocations(mut call: impl FnMut()) -> f64 {
    const MANY: u32 = 10_000;
    (0..100).for_each(|_| call());
    let before = ALLOCATIONS.get();
    (0..MANY).for_each(|_| call());
    (ALLOCATIONS.get() - before) as f64 / f64::from(MANY)
}

/// Bytes that this thread has allocated and not given back.
pub fn bytes() -> i64 {
    BYTES.get()
}
