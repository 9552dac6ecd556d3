"""What clients and stores of each protocol say, for the tests that all proxies pass.

A dialect is a class that nobody makes an object of. Its commands are text
without the line's end; an answer is one line: the last of those up to LAST.
"""
import base64

GIBIBYTE = 1 << 30


def base64_of(text):
    """`text` may be octets too."""
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def plain(user, password):
    """The message of SASL PLAIN."""
    return base64_of(b"\0".join(part.encode() if isinstance(part, str) else part for part in ("", user, password)))


def plain_read(message):
    """(user, password)"""
    return tuple(base64.b64decode(message).decode().split("\0")[1:])


def fits_line(*texts):
    return not any(octet in text for text in texts for octet in "\r\n")


class Imap:
    SERVICE = "imap"
    LAST = r"\S+ (OK|NO|BAD) |\+ |\* BYE "
    TLS_CAPABILITIES = False  # sent unasked behind the handshake

    NOOP, NOOP_DONE = "a NOOP", "a OK NOOP completed"
    LOGOUT, LOGGED_OUT = "a LOGOUT", "* BYE Logging out\r\na OK LOGOUT completed\r\n"
    START_TLS, START_TLS_DONE = "s STARTTLS", "s OK Begin TLS negotiation now"
    ERROR = "a AUTHENTICATE PLAIN\r\n*"
    UNENDED = b"a NOOP " + b"(" * 8000
    HALVES = (b"a LOGIN {5}\r\n", b"a AUTHENTICATE PLAIN\r\n", b"a NOOP {")
    # (command, its answer, whether the connection lives on)
    TOO_LARGE = ((f"a LOGIN {{{GIBIBYTE}}}", "a BAD [TOOBIG] Literal too large", True),
                 (f"a LOGIN {{{GIBIBYTE}+}}", "* BYE [TOOBIG] Literal too large", False))
    FORGED = 'a ID ("x-originating-ip" "192.0.2.66" "x-forward-user" "admin" "x-session-id" "forged")'
    FORGED_ANSWER = "a OK "
    # Sent before STARTTLS, and what inside TLS would go on with it.
    BEGUN, GOES_ON, GOES_ON_ANSWER = (
        b"a AUTHENTICATE LOGIN\r\nb LOGIN {5}\r\n", base64_of("alice"), "* BAD A tag must come first")

    ACCEPTED = r"a OK "
    REFUSED = r"a NO \[AUTHENTICATIONFAILED\] "
    MALFORMED = r"a BAD "
    UNAVAILABLE = "a NO [UNAVAILABLE] Temporarily unavailable, try again later"
    CONTACT_ADMIN = "a NO [CONTACTADMIN] Login isn't possible, ask your administrator"
    NEEDS_TLS = "a NO [PRIVACYREQUIRED] Logging in needs TLS"
    TOO_LONG = "* BYE Command line too long\r\n"
    TOO_MANY_ERRORS = "* BYE Too many errors\r\n"
    TOO_MANY_COMMANDS = "* BYE Too many commands before login\r\n"
    TIMED_OUT = "* BYE No login in time\r\n"

    # What a store says, up to the answer to the login.
    STORE = (b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE] hi\r\n",)
    STORE_ACCEPTS = b"G1 OK [CAPABILITY IMAP4rev1] in\r\n"
    STORE_REFUSES = b"G1 NO %s\r\n"
    # (how it refuses a login, what the client hears)
    REFUSALS = ((b"G1 NO [INUSE] x\r\n", "a NO [INUSE] "), (b"G1 NO [OVERQUOTA] x\r\n", "a NO [OVERQUOTA] "),
                (b"G1 NO [LIMIT] x\r\n", "a NO [LIMIT] "), (b"G1 NO [UNAVAILABLE] x\r\n", UNAVAILABLE),
                (b"G1 NO [CONTACTADMIN] x\r\n", CONTACT_ADMIN), (b"G1 NO x\r\n", CONTACT_ADMIN))
    INNER_WORDS = b"[REFERRAL imap://inner.example.com/] ask inner.example.com"
    INNER_REFUSAL = CONTACT_ADMIN  # the proxy has found the password right
    # As STORE and STORE_ACCEPTS, with words that are nobody's business.
    CHATTY_STORE = (b"* OK hi\r\n* 99 EXISTS\r\n* OK [ALERT] evil\r\n* FLAGS (x)\r\n",
                    b"* 98 EXISTS\r\n* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nG1 OK\r\n* OK [ALERT] evil too\r\n",
                    b"* CAPABILITY IMAP4rev1 SORT\r\nG2 OK evil\r\n")
    CHATTY_JOINED = "a OK [CAPABILITY IMAP4rev1 SORT] Logged in\r\n"
    # Trusts us to tell the client's address.
    TRUSTING_STORE = (b"* OK [CAPABILITY IMAP4rev1 ID AUTH=PLAIN SASL-IR] hi\r\n", b"* ID NIL\r\nG1 OK\r\n",
                      b"G2 OK [CAPABILITY IMAP4rev1] in\r\n")
    MAY_REFUSE_THE_ADDRESS = True  # ID is but information (RFC 2971 §3.3)
    TRUE_ADDRESS = b'"x-originating-ip" "127.0.0.1"'
    # What it says in the place of a greeting, and of an answer to the login.
    NO_GREETINGS = (b"* PREAUTH welcome\r\n", b"* BYE go away\r\n", b"G1 OK\r\n", b"+ go on\r\n", b"+OK pop\r\n",
                    b'"SASL" "PLAIN"\r\nOK\r\n', b"* OK", b"* OK hi\n", b"* O\0K\r\n")
    NO_ANSWERS = (b"G1 OK", b"G9 OK\r\n", b"* OK\r\n", b"+ \r\n", b"* BYE\r\n", b"* 1 EXISTS\r\n" * 100000)
    TLS_STORE = b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN] hi\r\n"
    TLS_STORE_AGREES = b"G1 OK go\r\n"
    TLS_STORE_REFUSES = (b"G1 NO\r\n", b"G1 BAD\r\n")
    INJECTED = b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\nG2 OK\r\nG3 OK in\r\n"
    CREDENTIAL_COMMANDS = (b"AUTHENTICATE", b"LOGIN")

    @staticmethod
    def login(user, password):
        return "a AUTHENTICATE PLAIN " + plain(user, password)

    @classmethod
    def logins(cls, user, password):
        """Each way to log in: its lines, the last of which is answered by the verdict."""
        yield [cls.login(user, password)]
        yield ["a AUTHENTICATE PLAIN", plain(user, password)]
        yield ["a AUTHENTICATE LOGIN " + base64_of(user), base64_of(password) or "="]
        yield [f"a LOGIN {{{len(user.encode())}+}}\r\n{user} {{{len(password.encode())}+}}\r\n{password}"]

    @staticmethod
    def slips(user, password):
        """A password that stands where none belongs: lines that are no login."""
        return ("a AUTHENTICATE PLAIN " + base64_of(f"\0{password}"), f"a LOGIN {password}", f"{password} {user}")

    @staticmethod
    def store_hears(line):
        """(user, password), None"""
        words = line.split()
        return plain_read(words[3]) if words[1].upper() == b"AUTHENTICATE" else None

    @classmethod
    def store_says(cls, line, verdict=None):
        """Its answer to a line; to one that logs in with a verdict."""
        tag = line.split()[0]
        if verdict is None:
            return tag + b" OK\r\n"
        return tag + (b" OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE] in\r\n" if verdict
                      else b" NO [AUTHENTICATIONFAILED] no\r\n")


class Pop3:
    SERVICE = "pop3"
    LAST = r"\+|-ERR"
    TLS_CAPABILITIES = False

    NOOP, NOOP_DONE = "NOOP", "+OK"
    LOGOUT, LOGGED_OUT = "QUIT", "+OK Bye.\r\n"
    START_TLS, START_TLS_DONE = "STLS", "+OK Begin TLS."
    ERROR = "XYZZY"
    UNENDED = b"USER " + b"x" * 8000
    HALVES = (b"USER x\r\nPASS y", b"AUTH PLAIN\r\n", b"STL")
    TOO_LARGE = ()
    FORGED = "XCLIENT ADDR=192.0.2.66 SESSION=forged FORWARD=" + base64_of("admin")
    FORGED_ANSWER = "-ERR "
    BEGUN, GOES_ON, GOES_ON_ANSWER = b"USER alice\r\n", "PASS x", "-ERR Send USER first."

    ACCEPTED = r"\+OK "
    REFUSED = r"-ERR \[AUTH\] "
    MALFORMED = r"-ERR [A-Z]"
    UNAVAILABLE = "-ERR [SYS/TEMP] Temporarily unavailable, try again later."
    CONTACT_ADMIN = "-ERR [SYS/PERM] Ask your mail administrator for help."
    NEEDS_TLS = "-ERR Use STLS first."
    TOO_LONG = "-ERR The line is too long.\r\n"
    TOO_MANY_ERRORS = "-ERR Unknown command.\r\n" * 10
    TOO_MANY_COMMANDS = "-ERR Too many commands.\r\n"
    TIMED_OUT = ""  # RFC 1939 §3: without a word

    STORE = (b"+OK hi\r\n", b"+OK\r\nSASL PLAIN\r\nUSER\r\n.\r\n")
    STORE_ACCEPTS = b"+OK in\r\n"
    STORE_REFUSES = b"-ERR %s\r\n"
    REFUSALS = ((b"-ERR [IN-USE] x\r\n", "-ERR [IN-USE] "), (b"-ERR [LOGIN-DELAY] x\r\n", "-ERR [LOGIN-DELAY] "),
                (b"-ERR Quota exceeded\r\n", "-ERR [SYS/PERM] The mailbox is over its quota."),
                (b"-ERR [SYS/PERM] Quota exceeded\r\n", "-ERR [SYS/PERM] The mailbox is over its quota."),
                (b"-ERR [SYS/PERM] x\r\n", CONTACT_ADMIN), (b"-ERR [SYS/TEMP] x\r\n", UNAVAILABLE),
                (b"-ERR x\r\n", CONTACT_ADMIN))
    INNER_WORDS = b"[AUTH] ask inner.example.com"
    INNER_REFUSAL = CONTACT_ADMIN
    CHATTY_STORE = (b"+OK <1.2@inner.example.com> evil\r\n",
                    b"+OK evil\r\nSASL PLAIN\r\nIMPLEMENTATION evil\r\n.\r\n", b"+OK 98 evil messages\r\n")
    CHATTY_JOINED = "+OK Logged in.\r\n"
    TRUSTING_STORE = (b"+OK [XCLIENT] hi\r\n", b"+OK\r\nSASL PLAIN\r\n.\r\n", b"+OK\r\n", STORE_ACCEPTS)
    MAY_REFUSE_THE_ADDRESS = False
    TRUE_ADDRESS = b"XCLIENT ADDR=127.0.0.1 "
    NO_GREETINGS = (b"-ERR [IN-USE] no\r\n", b"* OK imap\r\n", b"+ go on\r\n", b"+ok hi\r\n", b"+OKAY\r\n",
                    b'"SASL" "PLAIN"\r\nOK\r\n', b"+OK", b"+OK hi\n", b"+O\0K\r\n")
    NO_ANSWERS = (b"+OK", b"OK\r\n", b"+ \r\n", b"+ eA==\r\n", b"+OKAY\r\n", b"* OK\r\n", b"\r\n" * 100000)
    TLS_STORE = b"+OK hi\r\n"
    TLS_STORE_AGREES = b"+OK go\r\n"
    TLS_STORE_REFUSES = (b"-ERR\r\n", b"-ERR [SYS/TEMP] later\r\n")
    INJECTED = b"+OK\r\nSASL PLAIN\r\n.\r\n+OK in\r\n"
    CREDENTIAL_COMMANDS = (b"AUTH", b"USER", b"PASS")

    @staticmethod
    def login(user, password):
        return "AUTH PLAIN " + plain(user, password)

    @classmethod
    def logins(cls, user, password):
        yield [cls.login(user, password)]
        yield ["AUTH PLAIN", plain(user, password)]
        yield ["AUTH LOGIN " + base64_of(user), base64_of(password) or "="]
        if fits_line(user, password):
            yield ["USER " + user, "PASS " + password]

    @staticmethod
    def slips(user, password):
        return ("AUTH PLAIN " + base64_of(f"\0{password}"), f"PASS {password}", f"USER {user} {password}",
                f"{password} {user}")

    @staticmethod
    def store_hears(line):
        words = line.split()
        return plain_read(words[2]) if words[0] == b"AUTH" else None

    @classmethod
    def store_says(cls, line, verdict=None):
        if verdict is None:
            return cls.STORE[1] if line.strip() == b"CAPA" else b"+OK\r\n"
        return b"+OK in\r\n" if verdict else b"-ERR [AUTH] no\r\n"


# Without these two it would be no greeting (RFC 5804 §1.7).
SIEVE_STORE = b'"IMPLEMENTATION" "x"\r\n"SIEVE" "fileinto"\r\n'


class Sieve:
    SERVICE = "sieve"
    LAST = r'(OK|NO|BYE)\b|""$|"VXNlcm5hbWU6"$|"UGFzc3dvcmQ6"$'
    TLS_CAPABILITIES = True

    NOOP, NOOP_DONE = "NOOP", 'OK "Done."'
    LOGOUT, LOGGED_OUT = "LOGOUT", 'OK "Bye."\r\n'
    START_TLS, START_TLS_DONE = "STARTTLS", 'OK "Begin TLS."'
    ERROR = 'AUTHENTICATE "PLAIN" "!"'
    UNENDED = b'NOOP "' + b"x" * 8000
    HALVES = (b"NOOP {5+}\r\nab", b'AUTHENTICATE "PLAIN"\r\n', b'NOOP "')
    TOO_LARGE = tuple((f"{command} {{{size}+}}", 'BYE "The line or literal is too long."', False)
                      for command in ('PUTSCRIPT "x"', 'AUTHENTICATE "PLAIN"', "NOOP")
                      for size in (GIBIBYTE, 10**20))
    FORGED = "XCLIENT ADDR=192.0.2.66 SESSION=forged"
    FORGED_ANSWER = "NO "
    BEGUN, GOES_ON, GOES_ON_ANSWER = (
        b'AUTHENTICATE "LOGIN"\r\n"*"\r\n', f'"{base64_of("alice")}"', 'NO "This isn\'t ManageSieve\'s syntax."')

    ACCEPTED = r"OK "
    REFUSED = r'NO "Authentication failed\."'
    MALFORMED = r'NO "'
    UNAVAILABLE = 'NO (TRYLATER) "Temporarily unavailable, try again later."'
    CONTACT_ADMIN = 'NO "Ask your mail administrator for help."'
    NEEDS_TLS = 'NO (ENCRYPT-NEEDED) "Use STARTTLS first."'
    TOO_LONG = 'BYE "The line or literal is too long."\r\n'
    TOO_MANY_ERRORS = 'BYE "Too many errors."\r\n'
    TOO_MANY_COMMANDS = 'BYE "Too many commands."\r\n'
    TIMED_OUT = 'BYE "No login in time."\r\n'

    STORE = (SIEVE_STORE + b'"SASL" "PLAIN"\r\nOK\r\n',)
    STORE_ACCEPTS = b"OK\r\n"
    STORE_REFUSES = b'NO "%s"\r\n'
    REFUSALS = ((b'NO (QUOTA) "x"\r\n', "NO (QUOTA) "), (b'NO (QUOTA/MAXSIZE) "x"\r\n', "NO (QUOTA) "),
                (b'NO (TRYLATER) "x"\r\n', UNAVAILABLE), (b'BYE (TRYLATER) "x"\r\n', UNAVAILABLE),
                (b'NO (ENCRYPT-NEEDED) "x"\r\n', CONTACT_ADMIN),
                (b'BYE (REFERRAL "sieve://inner.example.com") "x"\r\n', CONTACT_ADMIN), (b"NO\r\n", CONTACT_ADMIN))
    INNER_WORDS = b"ask inner.example.com"
    INNER_REFUSAL = CONTACT_ADMIN
    CHATTY_STORE = (SIEVE_STORE + b'"SASL" "PLAIN"\r\n"X-EVIL" "evil"\r\nOK (TAG "evil") "evil"\r\n',
                    b'OK (WARNINGS) "evil"\r\n')
    CHATTY_JOINED = 'OK "Logged in."\r\n'
    TRUSTING_STORE = (SIEVE_STORE + b'"SASL" "PLAIN"\r\n"XCLIENT" "ADDR TTL"\r\nOK\r\n', b"OK\r\n", b"OK\r\n")
    MAY_REFUSE_THE_ADDRESS = False
    TRUE_ADDRESS = b"XCLIENT ADDR=127.0.0.1 "
    NO_GREETINGS = (b"BYE go away\r\n", b"NO\r\n", b"* OK imap\r\n", b"+OK pop\r\n", b"OKAY\r\n", b"OK", b"OK\n",
                    b"O\0K\r\n", SIEVE_STORE, b'"SASL" "PLAIN"\r\nOK\r\n', b'OK {5}\r\nab', b'"SASL" {99999999999}\r\n')
    NO_ANSWERS = (b"OK", b"ok?\r\n", b'""\r\n', b'"eA=="\r\n', b"OKAY\r\n", b"* OK\r\n", b'"X" "y"\r\n' * 100000,
                  b'OK {99999999999}\r\n')
    TLS_STORE = SIEVE_STORE + b'"SASL" "PLAIN"\r\n"STARTTLS"\r\nOK\r\n'
    TLS_STORE_AGREES = b"OK\r\n"
    TLS_STORE_REFUSES = (b"NO\r\n", b"BYE\r\n")
    INJECTED = SIEVE_STORE + b'"SASL" "PLAIN"\r\nOK\r\nOK\r\n'
    CREDENTIAL_COMMANDS = (b"AUTHENTICATE",)

    @staticmethod
    def login(user, password):
        return f'AUTHENTICATE "PLAIN" "{plain(user, password)}"'

    @classmethod
    def logins(cls, user, password):
        yield [cls.login(user, password)]
        message = plain(user, password)
        yield [f'AUTHENTICATE "PLAIN" {{{len(message)}+}}\r\n{message}']
        yield ['AUTHENTICATE "PLAIN"', f'"{message}"']
        yield [f'AUTHENTICATE "LOGIN" "{base64_of(user)}"', f'"{base64_of(password)}"']

    @staticmethod
    def slips(user, password):
        return (f'AUTHENTICATE "PLAIN" "{base64_of(chr(0) + password)}"', f'AUTHENTICATE "{password}"',
                f"{password} {user}")

    @staticmethod
    def store_hears(line):
        words = line.split()
        return plain_read(words[2].strip(b'"')) if words[0] == b"AUTHENTICATE" else None

    @classmethod
    def store_says(cls, line, verdict=None):
        return b'NO "no"\r\n' if verdict is False else b"OK\r\n"


DIALECTS = {f"{dialect.SERVICE}proxy": dialect for dialect in (Imap, Pop3, Sieve)}
