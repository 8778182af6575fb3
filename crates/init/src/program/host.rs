//! Takes guests in: starts this same program as a child, with the descriptors that have come with the request.

use core::ffi::c_void;

use super::sys::{self, Errno};
use crate::protocol::{CONTROL_FD, GUEST_DESCRIPTORS, PARCEL_FD, SUPERVISED, WATCH_FD};

/// The descriptors of a guest: its program, then what it finds as [`PLACES`] say.
pub(crate) type Descriptors = [i32; GUEST_DESCRIPTORS];

/// Where a guest finds its descriptors, after that of the program.
const PLACES: [i32; GUEST_DESCRIPTORS - 1] = [CONTROL_FD, WATCH_FD, PARCEL_FD, 0, 1, 2];

/// While they are put in place, they are kept above this number.
const ASIDE: i32 = 16;

/// Starts a guest. If that fails, its supervisor sees that the other end of the socket is closed.
pub(crate) fn take_in(mut descriptors: Descriptors) {
    // SAFETY: `child` takes an array of descriptors, which it may change, and does not come back.
    let _ = unsafe { sys::clone_vfork(child, (&raw mut descriptors).cast()) };
    descriptors.into_iter().for_each(sys::close);
}

extern "C" fn child(descriptors: *mut c_void) -> ! {
    // SAFETY: `take_in` passes an array of descriptors and sleeps.
    let descriptors = unsafe { *descriptors.cast::<Descriptors>() };
    // The program has gone to the supervisor of the guest only if this failed.
    let _ = become_guest(descriptors);
    sys::exit(127)
}

fn become_guest(mut descriptors: Descriptors) -> Result<(), Errno> {
    for fd in &mut descriptors {
        *fd = sys::duplicate_above(*fd, ASIDE)?;
    }
    let [program, others @ ..] = descriptors;
    for (from, to) in others.into_iter().zip(PLACES) {
        sys::duplicate(from, to)?;
    }
    let arguments = [c"pidns-init".as_ptr(), SUPERVISED.as_ptr(), core::ptr::null()];
    // SAFETY: both arrays hold strings and end with a null pointer.
    Err(unsafe { sys::exec_descriptor(program, arguments.as_ptr(), &core::ptr::null()) })
}
