//! Transmit, Status, attributes, Control, and handles of others.

use super::{Script, check};

#[test]
fn transmit() {
    check(&[
        ("done", "card insert; A connect shared T1 = T1; A transmit T1 = 00A49000; diary = on 00A4"),
        (
            "another's transaction comes before failing",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; reader fails
             B transmit T1 = SharingViolation; A transmit T1 = ReaderUnavailable",
        ),
        (
            "failing comes before notices",
            "card insert; A connect shared T1 = T1; card remove; reader fails; A transmit T1 = ReaderUnavailable",
        ),
        (
            "notices come before the card",
            "card insert; A connect shared T1 = T1; card remove; A transmit T1 = RemovedCard; A transmit RAW = RemovedCard",
        ),
        ("no card", "A connect direct none = none; A transmit T1 = NoSmartcard; A transmit none = NoSmartcard"),
        ("no card, RAW: the driver's word", "A connect direct none = none; A transmit RAW = NoSmartcard"),
        (
            "another protocol",
            "card insert; A connect shared T1 = T1; A transmit T0 = ProtocolMismatch; A transmit none = ProtocolMismatch
             A transmit 8 = ProtocolMismatch",
        ),
        ("RAW always passes", "card insert; A connect shared T1 = T1; A transmit RAW = 00A49000"),
        ("the old name of both always passes", "card insert; A connect shared T1 = T1; A transmit old = 00A49000"),
        ("no protocol chosen", "card insert; A connect direct none = none; A transmit T1 = ProtocolMismatch"),
        (
            "unpowered by another handle",
            "card insert; A connect direct none = none; B connect shared T1 = T1; B disconnect unpower
             A reconnect direct none leave = none; A transmit RAW = NotTransacted",
        ),
        ("mute", "card insert mute; A connect direct none = none; A transmit RAW = NotTransacted"),
        (
            "waits for another's command, in the order of asking",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1
             A borrow T1; B transmit T1 = waits; C transmit T1 = waits; B status; A returns
             C again = waits; B again = 00A49000; C again = 00A49000",
        ),
        (
            "who waits sees what has changed",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A borrow T1; B transmit T1 = waits; A begin
             B again = SharingViolation; A returns",
        ),
        (
            "the card is taken out during a command",
            "card insert; A connect shared T1 = T1; A borrow T1; card remove = later; state = 02 1 none 2
             A status = RemovedCard; A returns = evicted; diary = on off",
        ),
        (
            "the card is swapped during a command",
            "card insert; A connect shared T1 = T1; A borrow T1; card remove = later; card insert; state = 34 1 none 3
             B connect shared T1 = T1; B transmit T1 = 00A49000; A returns = evicted; B transmit T1 = 00A49000",
        ),
        (
            "the reader is unplugged during a command",
            "card insert; A connect shared T1 = T1; A borrow T1; reader unplug; A returns = evicted; state = none",
        ),
    ]);
}

#[test]
fn status_and_attributes() {
    for call in ["status", "attrib 00010100", "setattrib"] {
        let fine = match call {
            "status" => "ok",
            "setattrib" => "UnsupportedFeature",
            _ => "7672656164657200",
        };
        let script = |text: &str| text.replace("CALL", call).replace("FINE", fine);
        let connected = "card insert; A connect shared T1 = T1; B connect shared T1 = T1;";
        for (title, steps) in [
            ("fine", "A CALL = FINE; A begin; A CALL = FINE"),
            ("another's transaction", "B begin; A CALL = SharingViolation"),
            ("another's transaction comes first", "B begin; reader fails; A CALL = SharingViolation"),
            ("reset", "B reconnect shared T1 reset = T1; A CALL = ResetCard"),
            ("removal", "card remove; A CALL = RemovedCard"),
            ("failing", "reader fails; A CALL = ReaderUnavailable"),
        ] {
            Script::run(&format!("{call}: {title}"), &script(&format!("{connected} {steps}")));
        }
    }
    check(&[
        (
            "Status looks at notices first, attributes at the reader",
            "card insert; A connect shared T1 = T1; card remove; reader fails; A status = RemovedCard
             A attrib 00010100 = ReaderUnavailable",
        ),
        (
            "attributes of the card",
            "A connect direct none = none; A attrib 00090300 = 00; A attrib 00090301 = 00; A attrib 00090303 =
             card insert; A attrib 00090300 = 02; A attrib 00090301 = 01; A attrib 00090303 = 3B80800101",
        ),
        ("the reader's name", "A connect direct none = none; A attrib 7FFF0003 = 4465736B20303020303000"),
        ("others", "A connect direct none = none; A attrib 00000003 = UnsupportedFeature"),
    ]);
}

#[test]
fn control() {
    const FEATURES: &str = "0604423300060704423300070A044233000A120442330012";
    for (title, script) in [
        ("without a card", "A connect direct none = none; A control 42000D48 = FEATURES"),
        (
            "another's transaction",
            "A connect direct none = none; B connect direct none = none; A begin; B control 42000D48 = SharingViolation
             A control 42000D48 = FEATURES",
        ),
        ("failing", "A connect direct none = none; reader fails; A control 42000D48 = ReaderUnavailable"),
        ("unknown code", "A connect direct none = none; A control 42000001 = UnsupportedFeature"),
        (
            "notices do not matter",
            "card insert; A connect shared T1 = T1; A begin; A end reset; A control 42000D48 = FEATURES
             card remove; A control 42000D48 = FEATURES; A status = RemovedCard",
        ),
        (
            "PIN entry fills the template and asks the card",
            "card insert; A connect shared T1 = T1
             A control 42330006 0000820000080602000000000000000E000000 0020008008FFFFFFFFFFFFFFFF = UnsupportedFeature
             A control 42330006 0000820000080602000000000000000D000000 0020008008FFFFFFFFFFFFFFFF = 0020008008313233343536FFFF9000
             diary = on 0020008008313233343536FFFF",
        ),
        (
            "PIN entry without a card",
            "A connect direct none = none
             A control 42330006 0000820000080602000000000000000D000000 0020008008FFFFFFFFFFFFFFFF = NoSmartcard",
        ),
        (
            "PIN entry waits for another's command",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B borrow T1
             A control 42330006 0000820000080602000000000000000D000000 0020008008FFFFFFFFFFFFFFFF = waits
             B returns; A again = 0020008008313233343536FFFF9000",
        ),
    ] {
        Script::run(title, &script.replace("FEATURES", FEATURES));
    }
}

#[test]
fn foreign_handles() {
    for call in [
        "reconnect shared T1 leave",
        "disconnect leave",
        "begin",
        "end leave",
        "transmit T1",
        "control 42000D48",
        "status",
        "attrib 00010100",
        "setattrib",
        // Before any look at the other arguments.
        "reconnect 0 none eject",
        "disconnect 4",
        "end 4",
    ] {
        Script::run(
            call,
            &format!("card insert; A {call} = foreign; B connect shared T1 = T1; A {call} = foreign"),
        );
    }
    Script::run("another's", "card insert; A connect shared T1 = T1; B steals A = foreign; A steals A");
}
