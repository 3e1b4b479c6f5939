"""What users of pyscard do, each case a program of its own in a world with a card of ours.

The Rust side starts `vreader run -- python cases.py Cases.NAME`; `vreader ctl` moves the cards. Nothing here sleeps: what
must come is waited for.
"""

import os
import queue
import subprocess
import threading
import unittest

from smartcard import scard
from smartcard.ATR import ATR
from smartcard.CardMonitoring import CardMonitor, CardObserver
from smartcard.CardRequest import CardRequest
from smartcard.CardType import AnyCardType, ATRCardType
from smartcard.Exceptions import (
    CardConnectionException,
    CardRequestTimeoutException,
    NoCardException,
    SmartcardException,
)
from smartcard.ExclusiveConnectCardConnection import ExclusiveConnectCardConnection
from smartcard.ExclusiveTransmitCardConnection import ExclusiveTransmitCardConnection
from smartcard.ReaderMonitoring import ReaderMonitor, ReaderObserver
from smartcard.System import readers
from smartcard.pcsc import PCSCPart10
from smartcard.util import toBytes, toHexString

READER = "vreader 00 00"
SELECT = toBytes("00A4040005A000000308")
# VERIFY: without data it asks for the state of the PIN.
PIN_STATE = toBytes("00200080")
VERIFY = toBytes("0020008008313233343536FFFF")
# GET DATA of the certificate of 9A: longer than one answer.
GET_CERTIFICATE = toBytes("00CB3FFF055C035FC10500")

DONE = (0x90, 0x00)
NEVER_VERIFIED = (0x63, 0xC3)

# Longest wait for what must come, in seconds.
PATIENCE = 60
# How long something is watched that must not happen, in seconds.
MOMENT = 0.3


def ctl(*words):
    """Moves cards and readers of this program's world."""
    subprocess.run([os.environ["VREADER"], "ctl", *words], check=True)


def connected(number=0, **how):
    connection = readers()[number].createConnection()
    connection.connect(**how)
    return connection


def status(connection, command):
    """The status word."""
    return connection.transmit(command)[1:]


class Cards(CardObserver):
    """Hands every event of a CardMonitor over."""

    def __init__(self):
        super().__init__()
        self.events = queue.Queue()

    def update(self, observable, handlers):
        added, removed = handlers
        for card in added:
            self.events.put(("added", str(card.reader), toHexString(card.atr)))
        for card in removed:
            self.events.put(("removed", str(card.reader), toHexString(card.atr)))


class Readers(ReaderObserver):
    """Hands every event of a ReaderMonitor over."""

    def __init__(self):
        super().__init__()
        self.events = queue.Queue()

    def update(self, observable, handlers):
        added, removed = handlers
        for reader in added:
            self.events.put(("added", str(reader)))
        for reader in removed:
            self.events.put(("removed", str(reader)))


class Cases(unittest.TestCase):
    """Each method is a case."""

    def refused(self, code, call, *words, **named):
        """That a call fails with a return code of PC/SC."""
        with self.assertRaises(SmartcardException) as caught:
            call(*words, **named)
        self.assertEqual(caught.exception.hresult & 0xFFFFFFFF, code & 0xFFFFFFFF, caught.exception)

    def test_readers_and_cards(self):
        self.assertEqual([str(reader) for reader in readers()], [READER, "vreader 01 00"])
        connection = connected()
        self.assertEqual(connection.getReader(), READER)
        self.assertEqual(connection.getProtocol(), scard.SCARD_PROTOCOL_T1)
        atr = ATR(connection.getATR())
        self.assertTrue(atr.isT1Supported() and atr.checksumOK, atr)
        data, *done = connection.transmit(SELECT)
        self.assertEqual((data[0], *done), (0x61, *DONE))
        certificate, sw1, sw2 = connection.transmit(GET_CERTIFICATE)
        while sw1 == 0x61:
            more, sw1, sw2 = connection.transmit([0x00, 0xC0, 0x00, 0x00, sw2])
            certificate += more
        # 53 82 LLLL: the object has the length that it says.
        self.assertEqual(certificate[:2], [0x53, 0x82])
        self.assertEqual(len(certificate), 4 + certificate[2] * 256 + certificate[3])
        with self.assertRaises(NoCardException):
            connected(1)
        self.refused(scard.SCARD_E_PROTO_MISMATCH, connected, protocol=scard.SCARD_PROTOCOL_T0)

    def test_attributes_and_control(self):
        connection = connected()
        atr = connection.getATR()
        self.assertEqual(connection.getAttrib(scard.SCARD_ATTR_ATR_STRING), atr)
        self.assertEqual(bytes(connection.getAttrib(scard.SCARD_ATTR_VENDOR_NAME)), b"vreader\0")
        self.assertEqual(bytes(connection.getAttrib(scard.SCARD_ATTR_VENDOR_IFD_SERIAL_NO)), b"VR000001\0")
        self.refused(scard.SCARD_E_UNSUPPORTED_FEATURE, connection.getAttrib, 0x00012345)
        properties = PCSCPart10.getTlvProperties(connection)
        self.assertEqual(properties["PCSCv2_PART10_PROPERTY_dwMaxAPDUDataSize"], 0x10000)
        self.assertEqual(PCSCPart10.getPinProperties(connection), {"raw": []}, "no key-pad")
        self.refused(scard.SCARD_E_UNSUPPORTED_FEATURE, connection.control, 0x42000001, [0x01])

    def test_key_pad(self):
        connection = connected()
        features = PCSCPart10.getFeatureRequest(connection)
        self.assertEqual(PCSCPart10.getPinProperties(connection, features)["EntryValidationCondition"], 0x07)
        code = PCSCPart10.hasFeature(features, PCSCPart10.FEATURE_VERIFY_PIN_DIRECT)
        self.assertEqual(status(connection, SELECT), DONE)
        # PC/SC part 10, PIN_VERIFY_STRUCTURE: ASCII, left-justified, 8 bytes after the header, 4 to 8 digits.
        template = toBytes("0020008008FFFFFFFFFFFFFFFF")
        request = toBytes("00 00 82 08 00 08 04 02 01 09 04 00 00 00 00") + [len(template), 0, 0, 0] + template
        self.assertEqual(status(connection, PIN_STATE), NEVER_VERIFIED)
        self.assertEqual(connection.control(code, request), list(DONE))
        self.assertEqual(status(connection, PIN_STATE), DONE)

    def test_dispositions(self):
        connection = connected(disposition=scard.SCARD_LEAVE_CARD)
        watcher = connected()
        for command in (SELECT, VERIFY, PIN_STATE):
            self.assertEqual(status(connection, command), DONE)
        connection.disconnect()
        self.assertEqual(status(watcher, PIN_STATE), DONE, "left as it was")
        watcher.reconnect(disposition=scard.SCARD_RESET_CARD)
        self.assertEqual(status(watcher, SELECT), DONE)
        self.assertEqual(status(watcher, PIN_STATE), NEVER_VERIFIED, "reset")
        self.assertEqual(status(watcher, VERIFY), DONE)
        # pyscard takes the power away unless it is told otherwise.
        watcher.disconnect()
        again = connected()
        self.assertEqual(status(again, SELECT), DONE)
        self.assertEqual(status(again, PIN_STATE), NEVER_VERIFIED, "no power")

    def test_exclusive_connection(self):
        exclusive = ExclusiveConnectCardConnection(readers()[0].createConnection())
        exclusive.connect()
        self.assertEqual(status(exclusive, SELECT), DONE)
        self.refused(scard.SCARD_E_SHARING_VIOLATION, connected)
        exclusive.disconnect()
        self.assertEqual(status(connected(), SELECT), DONE)

    def test_transactions(self):
        holder = ExclusiveTransmitCardConnection(readers()[0].createConnection())
        holder.connect(disposition=scard.SCARD_LEAVE_CARD)
        other = connected(disposition=scard.SCARD_LEAVE_CARD)
        answers = queue.Queue()
        holder.lock()
        threading.Thread(target=lambda: answers.put(status(other, PIN_STATE))).start()
        for command in [SELECT] * 10 + [VERIFY]:
            self.assertEqual(status(holder, command), DONE)
        with self.assertRaises(queue.Empty, msg="the other one waits"):
            answers.get(timeout=MOMENT)
        holder.unlock()
        self.assertEqual(answers.get(timeout=PATIENCE), DONE)
        with self.assertRaises(CardConnectionException):
            holder.unlock()

    def test_removal(self):
        connection = connected()
        self.assertEqual(status(connection, SELECT), DONE)
        ctl("remove")
        self.refused(scard.SCARD_W_REMOVED_CARD, connection.transmit, SELECT)
        with self.assertRaises(NoCardException):
            connection.reconnect()
        ctl("insert")
        connection.connect()
        self.assertEqual(status(connection, SELECT), DONE)
        ctl("reset")
        self.refused(scard.SCARD_W_RESET_CARD, connection.transmit, SELECT)
        connection.reconnect(disposition=scard.SCARD_LEAVE_CARD)
        self.assertEqual(status(connection, SELECT), DONE)

    def test_card_request(self):
        atr = connected().getATR()
        with self.assertRaises(CardRequestTimeoutException):
            CardRequest(timeout=0.2, newcardonly=True, cardType=AnyCardType()).waitforcard()
        with self.assertRaises(CardRequestTimeoutException):
            CardRequest(timeout=0.2, cardType=ATRCardType(toBytes("3B00"))).waitforcard()
        service = CardRequest(timeout=PATIENCE, cardType=ATRCardType(atr)).waitforcard()
        service.connection.connect()
        self.assertEqual(status(service.connection, SELECT), DONE)
        service.connection.disconnect()

        ctl("remove")
        with self.assertRaises(CardRequestTimeoutException):
            CardRequest(timeout=0.2).waitforcard()
        request = CardRequest(timeout=PATIENCE, newcardonly=True, cardType=ATRCardType(atr))
        found = threading.Event()

        def offer():
            ctl("insert")
            # On a slow machine it came before the request waited, and is not new.
            while not found.wait(PATIENCE / 10):
                ctl("remove")
                ctl("insert")

        mover = threading.Timer(MOMENT, offer)
        mover.start()
        service = request.waitforcard()
        found.set()
        mover.join()
        service.connection.connect()
        self.assertEqual(service.connection.getReader(), READER)
        self.assertEqual(status(service.connection, SELECT), DONE)

    def test_card_monitor(self):
        atr = toHexString(connected().getATR())
        monitor, observer = CardMonitor(), Cards()
        monitor.addObserver(observer)
        event = lambda: observer.events.get(timeout=PATIENCE)
        there, gone = ("added", READER, atr), ("removed", READER, atr)
        self.assertEqual(event(), there)
        ctl("remove")
        first = event()
        # The monitor's thread and addObserver() may both tell of the first card.
        self.assertEqual(event() if first == there else first, gone)
        for _ in range(3):
            ctl("insert")
            self.assertEqual(event(), there)
            ctl("remove")
            self.assertEqual(event(), gone)
        # libpcsclite before 2.3 does not tell of a reader that comes between two calls, and pyscard learns it with the
        # next event.
        ctl("add-reader", "Door", "--card", "piv")
        ctl("insert", READER)
        self.assertEqual({event(), event()}, {("added", "Door 01 00", atr), there})
        ctl("remove-reader", "Door")
        self.assertEqual(event(), ("removed", "Door 01 00", atr))
        monitor.deleteObserver(observer)
        self.assertTrue(observer.events.empty())

    def test_reader_monitor(self):
        # It polls; every second unless it is told otherwise.
        monitor, observer = ReaderMonitor(period=0.02), Readers()
        monitor.addObserver(observer)
        event = lambda: observer.events.get(timeout=PATIENCE)
        self.assertEqual(event(), ("added", READER))
        ctl("add-reader", "Door")
        self.assertEqual(event(), ("added", "Door 01 00"))
        ctl("remove-reader", READER)
        self.assertEqual(event(), ("removed", READER))
        ctl("remove-reader", "Door")
        self.assertEqual(event(), ("removed", "Door 01 00"))
        self.assertEqual(readers(), [])
        monitor.deleteObserver(observer)


if __name__ == "__main__":
    unittest.main()
