//! Packets, and the descriptors that they carry.

use core::ffi::c_void;
use core::mem::{MaybeUninit, size_of};
use core::ptr;

use super::{Errno, Result, check, nr, syscall3, syscall6};

/// A type whose every bit pattern is a value and that has no padding, so that it can go through a socket.
///
/// # Safety
/// Implemented only for such types.
pub(crate) unsafe trait Record: Copy {}
// SAFETY: `#[repr(C)]` structures of integers whose sizes add up without gaps.
unsafe impl Record for crate::protocol::Config {}
// SAFETY: as above, and an array of bytes.
unsafe impl Record for crate::protocol::Entry {}
// SAFETY: as above.
unsafe impl Record for crate::protocol::Request {}
// SAFETY: as above.
unsafe impl Record for crate::protocol::Event {}

const MSG_DONTWAIT: usize = 0x40;
const MSG_NOSIGNAL: usize = 0x4000;

/// Takes one packet that is to be a `T`, without waiting: `Ok(None)` at the end of the stream, `EINVAL` for a packet
/// of another size: recv(2).
pub(crate) fn receive<T: Record>(socket: i32) -> Result<Option<T>> {
    const MSG_TRUNC: usize = 0x20;
    let mut record = MaybeUninit::<T>::uninit();
    let flags = MSG_DONTWAIT | MSG_TRUNC;
    let buffer = record.as_mut_ptr() as usize;
    // SAFETY: the kernel writes at most `size_of::<T>()` bytes.
    let length = check(unsafe {
        syscall6(nr::RECVFROM, [socket as usize, buffer, size_of::<T>(), flags, 0, 0])
    })?;
    match length {
        0 => Ok(None),
        // SAFETY: all bytes have been written, and a `Record` has no invalid ones.
        n if n == size_of::<T>() => Ok(Some(unsafe { record.assume_init() })),
        _ => Err(Errno::EINVAL),
    }
}

/// Sends one packet, without waiting and without SIGPIPE: send(2).
pub(crate) fn send<T: Record>(socket: i32, record: &T) -> Result<()> {
    let flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    let bytes = ptr::from_ref(record) as usize;
    // SAFETY: the kernel only reads the record, which has no padding.
    check(unsafe { syscall6(nr::SENDTO, [socket as usize, bytes, size_of::<T>(), flags, 0, 0]) })
        .map(|_| ())
}

/// Takes one packet that carries a descriptor, which is close-on-exec here, without waiting: `Ok(None)` at the end of
/// the stream, `EINVAL` for a packet without one: recvmsg(2), unix(7).
pub(crate) fn receive_fd(socket: i32) -> Result<Option<i32>> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    let mut byte = 0_u8;
    let mut vector = Iovec { base: &raw mut byte, length: 1 };
    let mut control = Control { length: 0, level: 0, kind: 0, fd: -1, _padding: 0 };
    let mut message = Message::new(&mut vector, &mut control);
    let flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT;
    // SAFETY: the message names one byte and one control buffer, which live on this stack, with their true sizes.
    let length =
        check(unsafe { syscall3(nr::RECVMSG, socket as usize, &raw mut message as usize, flags) })?;
    if message.control_length >= Control::LENGTH
        && control.length >= Control::LENGTH
        && control.level == Control::SOL_SOCKET
        && control.kind == Control::SCM_RIGHTS
    {
        return Ok(Some(control.fd));
    }
    if length == 0 { Ok(None) } else { Err(Errno::EINVAL) }
}

/// Takes one packet as [`receive`] does, and the descriptors that have come with it, close-on-exec; `None` for those if
/// they are not exactly `N`.
pub(crate) fn receive_with_fds<T: Record, const N: usize>(
    socket: i32,
) -> Result<Option<(T, Option<[i32; N]>)>> {
    const MSG_CMSG_CLOEXEC: usize = 0x4000_0000;
    const MSG_TRUNC: usize = 0x20;
    let mut record = MaybeUninit::<T>::uninit();
    let base = record.as_mut_ptr().cast();
    let mut vector = Iovec { base, length: size_of::<T>() };
    let mut control = Controls { length: 0, level: 0, kind: 0, fds: [-1; N], _room: 0 };
    let mut message = Message {
        control: (&raw mut control).cast(),
        control_length: size_of::<Controls<N>>(),
        ..Message::new(
            &mut vector,
            &mut Control { length: 0, level: 0, kind: 0, fd: -1, _padding: 0 },
        )
    };
    let flags = MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC;
    // SAFETY: the message names a record and a control buffer, which live on this stack, with their true sizes.
    let length =
        check(unsafe { syscall3(nr::RECVMSG, socket as usize, &raw mut message as usize, flags) })?;
    let came = message.control_length > 0 && control.level == Control::SOL_SOCKET;
    let fds = (came && control.kind == Control::SCM_RIGHTS).then_some(control.fds);
    let whole = control.length == Control::LENGTH - size_of::<i32>() + size_of::<[i32; N]>();
    let fds = match fds {
        Some(fds) if !whole => {
            fds.into_iter().filter(|fd| *fd >= 0).for_each(super::close);
            None
        }
        fds => fds,
    };
    match length {
        0 => Ok(None),
        // SAFETY: all bytes have been written, and a `Record` has no invalid ones.
        n if n == size_of::<T>() => Ok(Some((unsafe { record.assume_init() }, fds))),
        _ => {
            fds.into_iter().flatten().for_each(super::close);
            Err(Errno::EINVAL)
        }
    }
}

/// Sends one packet with a copy of the descriptor `fd`, without waiting and without SIGPIPE: sendmsg(2), unix(7).
pub(crate) fn send_with_fd<T: Record>(socket: i32, record: &T, fd: i32) -> Result<()> {
    let base = ptr::from_ref(record).cast_mut().cast();
    let mut vector = Iovec { base, length: size_of::<T>() };
    let mut control = Control {
        length: Control::LENGTH,
        level: Control::SOL_SOCKET,
        kind: Control::SCM_RIGHTS,
        fd,
        _padding: 0,
    };
    let message = Message::new(&mut vector, &mut control);
    let flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    // SAFETY: as above, and the kernel only reads the record, which has no padding.
    check(unsafe { syscall3(nr::SENDMSG, socket as usize, &raw const message as usize, flags) })
        .map(|_| ())
}

/// A control message with one descriptor: cmsg(3).
#[repr(C)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    _padding: i32,
}

impl Control {
    /// Up to the descriptor and with it.
    const LENGTH: usize = 20;
    const SOL_SOCKET: i32 = 1;
    const SCM_RIGHTS: i32 = 1;
}

/// A control message with `N` descriptors; there is room for one more, so that too many are not taken for enough.
#[repr(C)]
struct Controls<const N: usize> {
    length: usize,
    level: i32,
    kind: i32,
    fds: [i32; N],
    _room: i32,
}

#[repr(C)]
struct Iovec {
    base: *mut u8,
    length: usize,
}

/// `struct msghdr`: recvmsg(2).
#[repr(C)]
struct Message {
    name: *mut c_void,
    name_length: usize,
    vectors: *mut Iovec,
    vectors_length: usize,
    control: *mut Control,
    control_length: usize,
    flags: i32,
    _padding: i32,
}

impl Message {
    /// Neither of the two may be used but by way of the message.
    fn new(vector: &mut Iovec, control: &mut Control) -> Self {
        Self {
            name: ptr::null_mut(),
            name_length: 0,
            vectors: vector,
            vectors_length: 1,
            control,
            control_length: size_of::<Control>(),
            flags: 0,
            _padding: 0,
        }
    }
}
