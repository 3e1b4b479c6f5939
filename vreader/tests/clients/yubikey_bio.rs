//! A YubiKey Bio under Yubico's own programs and library: what they tell of its sensor, and what they do with a finger.

use crate::{
    card::{CARD, PIN},
    world::{Attachment, Client, World},
    ykman,
    yubico_piv_tool::fresh,
};

/// `ykman piv …`; words stand between spaces.
fn ykman(world: &World<impl Attachment>, words: &str) -> Client {
    world.client(&ykman::program()).args(ykman::words(words))
}

#[test]
fn ykman_tells_what_it_is() {
    let world = fresh("yubikey-bio");
    let said = world.client(&ykman::program()).args(["list"]).succeeds();
    assert!(said.contains("YubiKey Bio - Multi-protocol Edition (5.7.2) [FIDO+CCID] Serial: "), "{said}");
    let said = ykman(&world, "info").succeeds();
    assert!(said.contains("Biometrics:               Configured, 3 attempts remaining"), "{said}");
    let said = ykman(&fresh("yubikey5"), "info").succeeds();
    assert!(!said.contains("Biometrics"), "{said}");
}

#[test]
fn ykman_resets_it_as_a_whole_and_not_its_piv_alone() {
    let world = fresh("yubikey-bio");
    ykman(&world, "keys generate -m KEY --pin-policy MATCH-ONCE -a ECCP256 9a public.pem").succeeds();
    let said = ykman(&world, "keys info 9a").succeeds();
    assert!(said.contains("PIN required for use:   MATCH_ONCE"), "{said}");
    let said = ykman(&world, "reset --force").fails();
    assert!(said.contains("Cannot perform PIV reset when biometrics are configured"), "{said}");
    ykman(&world, "keys info 9a").succeeds();
    world.client(&ykman::program()).args(["config", "reset", "--force"]).succeeds();
    ykman(&world, "keys info 9a").fails();
}

#[test]
fn yubicos_library_verifies_fingers_and_signs() {
    let world = fresh("yubikey-bio").serve(&["--card", CARD, "--touch", "wait=60"]);
    for (policy, slot) in [("MATCH-ONCE", "9a"), ("MATCH-ALWAYS", "9d")] {
        let words = format!("keys generate -m KEY --pin-policy {policy} -a ECCP256 {slot} {slot}.pem");
        ykman(&world, &words).succeeds();
    }
    world.write("fingers.py", FINGERS);
    let mut fingers = world.companion(&[&ykman::python(), "fingers.py", PIN]);
    // The enrolled finger for the signature and for the temporary PIN, then three times another one.
    for finger in [&[][..], &[], &["--wrong-finger"], &["--wrong-finger"], &["--wrong-finger"]] {
        fingers.hear_line("finger, please");
        world.ctl(&[&["touch", "--wait", "60"], finger].concat());
    }
    fingers.hear_line("all as it should be");
    assert!(fingers.ends().success());
}

/// Uses the keys in 9A (match once) and 9D (match always), and blocks and unblocks the sensor.
const FINGERS: &str = "
import sys
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from ykman.pcsc import list_devices
from yubikit.core.smartcard import ApduError, SmartCardConnection, SW
from yubikit.core import InvalidPinError
from yubikit.piv import KEY_TYPE, PivSession, SLOT

session = PivSession(list_devices()[0].open_connection(SmartCardConnection))

def see(**what):
    print('finger, please', flush=True)
    return session.verify_uv(**what)

def sign(slot, name):
    signature = session.sign(slot, KEY_TYPE.ECCP256, b'a message', SHA256())
    public = load_pem_public_key(open(name, 'rb').read())
    public.verify(signature, b'a message', ec.ECDSA(SHA256()))

def signs_not(slot):
    try:
        session.sign(slot, KEY_TYPE.ECCP256, b'a message', SHA256())
    except ApduError as error:
        assert error.sw == SW.SECURITY_CONDITION_NOT_SATISFIED, error
    else:
        raise AssertionError('it signs')

def attempts_after_refusal(verify):
    try:
        verify()
    except InvalidPinError as error:
        return error.attempts_remaining
    raise AssertionError('it is verified')

def metadata():
    bio = session.get_bio_metadata()
    return bio.configured, bio.attempts_remaining, bio.temporary_pin

signs_not(SLOT.AUTHENTICATION)
assert see() is None
sign(SLOT.AUTHENTICATION, '9a.pem')
sign(SLOT.AUTHENTICATION, '9a.pem')
signs_not(SLOT.KEY_MANAGEMENT)

assert metadata() == (True, 3, False)
temporary_pin = see(temporary_pin=True)
assert metadata() == (True, 3, True)
for _ in range(2):
    session.verify_temporary_pin(temporary_pin)
    sign(SLOT.KEY_MANAGEMENT, '9d.pem')
    signs_not(SLOT.KEY_MANAGEMENT)
assert attempts_after_refusal(lambda: session.verify_temporary_pin(bytes(16))) == 0
assert attempts_after_refusal(lambda: session.verify_temporary_pin(temporary_pin)) == 0
assert metadata() == (True, 3, False)

assert [attempts_after_refusal(see) for _ in range(3)] == [2, 1, 0]
assert attempts_after_refusal(lambda: session.verify_uv(check_only=True)) == 0
assert attempts_after_refusal(session.verify_uv) == 0
signs_not(SLOT.AUTHENTICATION)
session.verify_pin(sys.argv[1])
sign(SLOT.KEY_MANAGEMENT, '9d.pem')
assert attempts_after_refusal(lambda: session.verify_uv(check_only=True)) == 3
print('all as it should be', flush=True)
";
