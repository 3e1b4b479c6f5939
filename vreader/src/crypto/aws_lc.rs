//! The two things that AWS-LC can do and `aws-lc-rs` does not offer: raw RSA, and a point from a scalar.
//!
//! This is the only `unsafe` code of the workspace. Everything else that the card needs of AWS-LC goes through the
//! safe calls of `aws-lc-rs`. The functions here take and give slices, check nothing but lengths, and fail with
//! `None`; what a key or a scalar must be is the caller's business ([`host`](super::host)).
//!
//! Why the point from a scalar is here: an ECDSA signature with RFC 6979's nonce `k` needs the point `k G`. The safe
//! way (`agreement::PrivateKey::from_private_key`, then `compute_public_key`) multiplies twice, because it
//! checks the pair, which makes a signature 1.4 times as long as AWS-LC's own; one multiplication makes it shorter.

#![allow(unsafe_code)]

use std::ptr::{NonNull, null, null_mut};

use aws_lc_sys as c;

/// An object of the C library, freed (and thereby wiped: `OPENSSL_free` cleanses) when dropped.
struct Owned<T> {
    object: NonNull<T>,
    free: unsafe extern "C" fn(*mut T),
}

impl<T> Owned<T> {
    /// Takes over what an allocating function returned; `None` stands for its null.
    ///
    /// # Safety
    /// `object` is null, or came from the allocator that belongs to `free` and has no other owner.
    unsafe fn new(object: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
        Some(Self { object: NonNull::new(object)?, free })
    }

    fn pointer(&self) -> *mut T {
        self.object.as_ptr()
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: `new` was promised that `free` belongs to this object and that nobody else frees it.
        unsafe { (self.free)(self.object.as_ptr()) }
    }
}

/// An RSA private key in AWS-LC's form.
pub(super) struct RsaKey(Owned<c::RSA>);

// SAFETY: an `RSA` is not bound to the thread that made it (openssl/rsa.h: operations may even run at once in
// several threads, the blinding cache inside has its own lock), and nothing else holds a pointer to this one.
unsafe impl Send for RsaKey {}

impl RsaKey {
    /// A key from PKCS #1's `RSAPrivateKey`. AWS-LC checks that its numbers belong together.
    pub(super) fn from_pkcs1(der: &[u8]) -> Option<Self> {
        // SAFETY: pointer and length are one slice's; the call copies what it keeps and returns a new object or null.
        let key = unsafe { Owned::new(c::RSA_private_key_from_bytes(der.as_ptr(), der.len()), c::RSA_free) };
        key.map(Self)
    }

    /// `input ^ d mod n`, blinded and checked against the public key by AWS-LC. Both slices are as long as the modulus.
    pub(super) fn private(&mut self, input: &[u8], output: &mut [u8]) -> Option<()> {
        let mut written = 0;
        // SAFETY: the key is alive and borrowed mutably; both pointers stand with their own slice's length, and
        // the borrow rules keep the slices apart; at most `output.len()` bytes are written.
        let done = unsafe {
            c::RSA_sign_raw(
                self.0.pointer(),
                &raw mut written,
                output.as_mut_ptr(),
                output.len(),
                input.as_ptr(),
                input.len(),
                c::RSA_NO_PADDING,
            )
        };
        (done == 1 && written == output.len()).then_some(())
    }
}

/// The curves of PIV.
#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    fn group(self) -> *const c::EC_GROUP {
        // SAFETY: takes nothing; the group is a constant of the library that lives as long as the process.
        unsafe {
            match self {
                Self::P256 => c::EC_group_p256(),
                Self::P384 => c::EC_group_p384(),
            }
        }
    }

    /// `scalar G` in uncompressed form, in a time that does not depend on `scalar`. `point` is 65 or 97 bytes long.
    pub(super) fn multiply_generator(self, scalar: &[u8], point: &mut [u8]) -> Option<()> {
        let group = self.group();
        // SAFETY: pointer and length are one slice's; null asks for a new number, which is ours.
        let number =
            unsafe { Owned::new(c::BN_bin2bn(scalar.as_ptr(), scalar.len(), null_mut()), c::BN_clear_free)? };
        // SAFETY: the group is a valid constant; the new point is ours.
        let product = unsafe { Owned::new(c::EC_POINT_new(group), c::EC_POINT_free)? };
        // SAFETY: all objects are alive and belong to `group`; null for the second product's point and factor leaves
        // it out, null for the context lets the library use its own.
        let done = unsafe {
            c::EC_POINT_mul(group, product.pointer(), number.pointer(), null(), null(), null_mut())
        };
        if done != 1 {
            return None;
        }
        // SAFETY: as above; at most `point.len()` bytes are written.
        let written = unsafe {
            c::EC_POINT_point2oct(
                group,
                product.pointer(),
                c::point_conversion_form_t::POINT_CONVERSION_UNCOMPRESSED,
                point.as_mut_ptr(),
                point.len(),
                null_mut(),
            )
        };
        (written == point.len()).then_some(())
    }
}
