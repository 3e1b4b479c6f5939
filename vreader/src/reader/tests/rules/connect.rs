//! Connect, Reconnect, Disconnect, ReleaseContext, and what a client's death does.

use super::{Script, check};

#[test]
fn connect() {
    check(&[
        ("no protocol", "card insert; A connect shared none = ProtocolMismatch"),
        ("no known protocol", "card insert; A connect shared 8 = ProtocolMismatch"),
        ("protocols come before the mode", "A connect 0 none = ProtocolMismatch"),
        ("mode 0", "A connect 0 T1 = InvalidValue"),
        ("mode 4", "A connect 4 T1 = InvalidValue"),
        ("the mode comes before the name", "A connect 4 T1 Door = InvalidValue"),
        ("unknown reader", "A connect shared T1 Door = UnknownReader"),
        ("the name is compared whole", "A connect shared T1 Desk = UnknownReader"),
        ("failing reader", "card insert; reader fails; A connect shared T1 = ReaderUnavailable"),
        ("failing reader, directly", "reader fails; A connect direct none = ReaderUnavailable"),
        (
            "exclusive handle",
            "card insert; A connect exclusive T1 = T1
             B connect shared T1 = SharingViolation
             B connect exclusive T1 = SharingViolation; B connect direct none = SharingViolation",
        ),
        (
            "exclusiveness comes before the lock: no waiting",
            "card insert; A connect exclusive T1 = T1; A begin; B connect shared T1 = SharingViolation",
        ),
        (
            "waits for a transaction",
            "card insert; A connect shared T1 = T1; A begin
             B connect shared T1 = waits; B again = waits
             A end leave; B again = T1",
        ),
        (
            "waits even without a card",
            "A connect direct none = none; A begin; B connect shared T1 = waits; A end leave; B again = NoSmartcard",
        ),
        (
            "who waits sees what has changed",
            "card insert; A connect shared T1 = T1; A begin; B connect shared T1 = waits
             card remove; B again = NoSmartcard",
        ),
        (
            "who waits for a reader that is unplugged",
            "card insert; A connect shared T1 = T1; A begin; B connect shared T1 = waits
             reader unplug; B again = UnknownReader",
        ),
        ("no card", "A connect shared T1 = NoSmartcard; A connect exclusive T1 = NoSmartcard"),
        ("mute card", "card insert mute; A connect shared T1 = UnpoweredCard; state = 0C 0 none 1"),
        ("mute card, directly", "card insert mute; A connect direct none = none; state = 0C 1 none 1"),
        (
            "powers up a card that another handle unpowered",
            "card insert; A connect shared T1 = T1; A disconnect unpower; state = 04 0 none 1
             B connect shared T1 = T1; state = 34 1 T1 1; diary = on off on",
        ),
        (
            "exclusive beside a shared handle: the protocol is told all the same",
            "card insert; A connect shared T0 = T0; B connect exclusive T0|T1 = NotExclusive T0
             state = 34 1 T0 1",
        ),
        (
            "exclusive beside a direct handle",
            "card insert; A connect direct none = none; B connect exclusive T1 = NotExclusive T1",
        ),
        (
            "exclusive, and the reader is its own",
            "card insert; A connect exclusive T1 = T1; state = 34 -1 T1 1; A status; A transmit T1 = 00A49000",
        ),
        (
            "direct: counts as shared, works without a card, chooses no protocol",
            "A connect direct none = none; state = 02 1 none 0
             B connect direct T1 = none; state = 02 2 none 0",
        ),
        (
            "direct: the protocol is the card's",
            "card insert; A connect shared T0 = T0; B connect direct none = T0",
        ),
        (
            "a failed Connect leaves no handle",
            "card insert T0; A connect shared T1 = ProtocolMismatch; state = 34 0 none 1; A status = foreign",
        ),
    ]);
}

#[test]
fn protocol() {
    check(&[
        ("T=1 first", "card insert; A connect shared T0|T1 = T1"),
        ("T=0 if wanted", "card insert; A connect shared T0 = T0"),
        ("T=0 if that is all the card has", "card insert T0; A connect shared T0|T1 = T0"),
        ("T=1 if that is all the card has", "card insert T1; A connect shared T0|T1 = T1"),
        ("nothing in common", "card insert T1; A connect shared T0 = ProtocolMismatch"),
        ("the old name of both", "card insert; A connect shared old = T1; B connect shared old = T1"),
        ("RAW wins over all", "card insert; A connect shared T0|T1|RAW = RAW; state = 34 1 RAW 1"),
        ("RAW replaces what was chosen", "card insert; A connect shared T1 = T1; B connect shared RAW = RAW"),
        ("RAW, directly, without a card", "A connect direct RAW = RAW; card insert; state = 34 1 none 1"),
        (
            "chosen and not wanted",
            "card insert; A connect shared T1 = T1; B connect shared T0 = ProtocolMismatch
             B connect shared T0|T1 = T1",
        ),
        (
            "stays chosen after the last handle",
            "card insert; A connect shared T0 = T0; A disconnect leave; B connect shared T1 = ProtocolMismatch",
        ),
        (
            "open again after a reset, for the others, too",
            "card insert; A connect shared T0 = T0; A disconnect reset; state = 34 0 none 1; B connect shared T1 = T1",
        ),
    ]);
}

#[test]
fn reconnect() {
    check(&[
        ("initialization 3", "card insert; A connect shared T1 = T1; A reconnect shared T1 eject = InvalidValue"),
        ("mode 0", "card insert; A connect shared T1 = T1; A reconnect 0 T1 leave = InvalidValue"),
        (
            "the mode comes before the protocols",
            "card insert; A connect shared T1 = T1; A reconnect 0 none leave = InvalidValue
             A reconnect shared none leave = ProtocolMismatch",
        ),
        ("failing", "card insert; A connect shared T1 = T1; reader fails; A reconnect shared T1 leave = ReaderUnavailable"),
        (
            "another's transaction",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B begin; A reconnect shared T1 leave = SharingViolation
             A reconnect shared T1 reset = SharingViolation; diary = on",
        ),
        (
            "reset: the others are told, the own handle is good again",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A reconnect shared T0 reset = T0; diary = on reset
             A status; B status = ResetCard; B reconnect shared T0 leave = T0; B status",
        ),
        (
            "unpower: off and on again",
            "card insert; A connect shared T1 = T1; A reconnect shared T1 unpower = T1; diary = on off on; state = 34 1 T1 1",
        ),
        (
            "reset, then no protocol in common: the own handle is told, too",
            "card insert T1; A connect shared T1 = T1; A reconnect shared T0 reset = ProtocolMismatch; A status = ResetCard",
        ),
        ("reset without a card", "A connect direct none = none; A reconnect shared T1 reset = NoSmartcard; A status"),
        (
            "reset of a mute card",
            "card insert mute; A connect direct none = none; A reconnect shared T1 reset = UnresponsiveCard; A status = ResetCard",
        ),
        ("leave, without a card", "A connect direct none = none; A reconnect direct none leave = NoSmartcard"),
        (
            "leave, mute card",
            "card insert mute; A connect direct none = none; A reconnect direct none leave = UnresponsiveCard",
        ),
        (
            "after a removal: good with the next card",
            "card insert; A connect shared T1 = T1; card remove; A reconnect shared T1 leave = NoSmartcard; A status = RemovedCard
             card insert; A status = RemovedCard; A reconnect shared T1 leave = T1; A status",
        ),
        (
            "a reset does not make a handle to a former card good",
            "card insert; A connect shared T1 = T1; card remove; card insert; B connect shared T1 = T1; B disconnect reset
             A status = RemovedCard",
        ),
        (
            "a removal after a reset",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B disconnect reset; card remove; A status = RemovedCard",
        ),
        (
            "a card that another handle unpowered gets power",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B disconnect unpower; A status = ResetCard
             A reconnect shared T1 leave = T1; state = 34 1 T1 1; A transmit T1 = 00A49000",
        ),
        (
            "exclusive, alone",
            "card insert; A connect shared T1 = T1; A reconnect exclusive T1 leave = T1; state = 34 -1 T1 1
             B connect shared T1 = SharingViolation; A reconnect exclusive T1 leave = T1; A end leave = NotTransacted",
        ),
        (
            "exclusive, not alone: the notice stays",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1
             A reconnect exclusive T1 reset = NotExclusive T1; state = 34 2 T1 1; A status = ResetCard",
        ),
        (
            "exclusive in a transaction: the transaction goes on",
            "card insert; A connect shared T1 = T1; A begin; A reconnect exclusive T1 leave = T1; A end leave
             A end leave = NotTransacted",
        ),
        (
            "exclusive to shared frees the reader",
            "card insert; A connect exclusive T1 = T1; A reconnect shared T1 leave = T1; state = 34 1 T1 1
             B connect shared T1 = T1; B status; A end leave = NotTransacted",
        ),
        (
            "exclusive to direct frees the reader",
            "card insert; A connect exclusive T1 = T1; A reconnect direct none leave = T1; B connect shared T1 = T1",
        ),
        (
            "but not a transaction of its own",
            "card insert; A connect exclusive T1 = T1; A begin; A reconnect shared T1 leave = T1
             B connect shared T1 = waits; A end leave; B again = T1",
        ),
        (
            "exclusive still after a removal, and its own reader again",
            "card insert; A connect exclusive T1 = T1; card remove; state = 02 -1 none 2; card insert
             A reconnect exclusive T1 leave = T1; A begin; A end leave; A end leave = NotTransacted
             B connect shared T1 = SharingViolation",
        ),
        (
            "reset waits for a command",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B borrow T1; A reconnect shared T1 reset = waits
             diary = on; B returns; A again = T1; diary = reset; B status = ResetCard",
        ),
    ]);
}

#[test]
fn disconnect() {
    check(&[
        ("disposition 4", "card insert; A connect shared T1 = T1; A disconnect 4 = InvalidValue; A status"),
        ("leave", "card insert; A connect shared T1 = T1; A disconnect leave; A status = foreign; state = 34 0 T1 1"),
        (
            "drops its own transactions",
            "card insert; A connect shared T1 = T1; A begin; A begin; A disconnect leave; B connect shared T1 = T1; diary = on",
        ),
        (
            "leave, in another's transaction",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B disconnect leave; state = 34 1 T1 1
             A end leave",
        ),
        (
            "reset, in another's transaction, waits",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B disconnect reset = waits; diary = on
             A end leave; B again; diary = reset; A status = ResetCard",
        ),
        (
            "eject waits, too, and does nothing",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B disconnect eject = waits
             A end leave; B again; diary = on; A status",
        ),
        (
            "reset in the own transaction",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; A disconnect reset; B status = ResetCard
             state = 34 1 none 1",
        ),
        (
            "reset waits for the reader, then for the card, and keeps its place",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; C connect shared T1 = T1
             C borrow T1; A begin; B disconnect reset = waits; A end leave; B again = waits; A begin = waits
             C returns; B again; A again = ResetCard; diary = on reset",
        ),
        (
            "who lost his transaction while he waited for the card does not stand in its way",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B borrow T1; A begin
             A disconnect reset = waits; card remove = later; card insert; C connect shared T1 = T1; C begin
             A again = waits; C transmit T1 = 00A49000; C end leave; A again; C status = ResetCard",
        ),
        (
            "unpower: everybody sees it",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A disconnect unpower; state = 04 1 none 1
             B status = ResetCard; diary = on off",
        ),
        ("reset without a card", "A connect direct none = none; A disconnect reset; state = 02 0 none 0"),
        ("unpower without a card", "A connect direct none = none; A disconnect unpower; state = 02 0 none 0"),
        ("exclusive", "card insert; A connect exclusive T1 = T1; A disconnect leave; state = 34 0 T1 1; B connect shared T1 = T1"),
        (
            "after a removal",
            "card insert; A connect shared T1 = T1; card remove; A disconnect leave; state = 02 0 none 2",
        ),
        (
            "who disconnects lets others in",
            "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; B begin = waits; A disconnect leave; B again",
        ),
    ]);
}

#[test]
fn release_and_death() {
    for last in ["release", "dies"] {
        for (title, script) in [
            (
                "leaves the card",
                "card insert; A connect shared T1 = T1; A2 connect shared T1 = T1; A LAST; state = 34 0 T1 1; diary = on",
            ),
            (
                "in a transaction: the card is reset",
                "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; A LAST; diary = on reset
                 B status = ResetCard; state = 34 1 none 1; B begin = ResetCard",
            ),
            (
                "in a transaction, but the card has been reset: left",
                "card insert; A connect shared T1 = T1; A begin; card reset; A LAST; diary = on reset",
            ),
            (
                "in a transaction without a card",
                "A connect direct none = none; A begin; A LAST; state = 02 0 none 0; B connect direct none = none",
            ),
            (
                "exclusive, which is as in a transaction",
                "card insert; A connect exclusive T1 = T1; A LAST; diary = on reset; state = 34 0 none 1",
            ),
            (
                "in another's transaction: left",
                "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B begin; A LAST; diary = on; B status",
            ),
            (
                "waits for the command that is to be followed by the reset",
                "card insert; A connect shared T1 = T1; B connect shared T1 = T1; B borrow T1; A begin; A LAST = waits
                 B returns; A again; diary = on reset; B status = ResetCard",
            ),
            ("after the reader is gone", "card insert; A connect shared T1 = T1; A begin; reader unplug; A LAST"),
            (
                "lets others in",
                "card insert; A connect shared T1 = T1; B connect shared T1 = T1; A begin; C connect direct none = waits
                 A LAST; C again = none",
            ),
        ] {
            Script::run(&format!("{last}: {title}"), &script.replace("LAST", last));
        }
    }
    check(&[
        ("released twice", "A release; A release = InvalidHandle"),
        (
            "handles go with their context",
            "card insert; A connect shared T1 = T1; A release; A status = foreign",
        ),
        (
            "no handle without a context",
            "card insert; A release; A connect shared T1 = InvalidHandle; state = 34 0 T1 1",
        ),
    ]);
}
