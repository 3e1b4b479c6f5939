"""A PKCS#11 client that keeps its session: what it sees, before and after a card was taken out and put back.

Each line of its input is a question, and each line of its output the answer:

    open    opens a session with the token that is there, then lists
    list    lists the certificates: ID=SHA-256, in the session that is open
    tokens  how many tokens there are
"""

import hashlib
import sys

import PyKCS11
from PyKCS11 import CKA_CLASS, CKA_ID, CKA_VALUE, CKO_CERTIFICATE


def certificates(session):
    found = []
    for handle in session.findObjects([(CKA_CLASS, CKO_CERTIFICATE)]):
        name, value = session.getAttributeValue(handle, [CKA_ID, CKA_VALUE])
        found.append(f"{bytes(name).hex()}={hashlib.sha256(bytes(value)).hexdigest()}")
    return " ".join(sorted(found))


def main():
    module = PyKCS11.PyKCS11Lib()
    module.load(sys.argv[1])
    session = None
    for question in map(str.strip, sys.stdin):
        try:
            if question == "tokens":
                answer = str(len(module.getSlotList(tokenPresent=True)))
            else:
                if question == "open":
                    session = module.openSession(module.getSlotList(tokenPresent=True)[0])
                answer = certificates(session)
        except PyKCS11.PyKCS11Error as error:
            answer = f"refused: {error}"
        print(question, answer, flush=True)


main()
