package io.ambo.cluster.session;

/** Keys and records for tests. */
final class Sessions {
    private static final long MAPPED_V4 = 0xFFFF_0000_0000L;

    private Sessions() {}

    /** A different key for each number: TCP from 10.x.y.z:1024 + something to 192.0.2.1:443. */
    static SessionKey key(int number) {
        SessionKey key = new SessionKey();
        setKey(key, number);
        return key;
    }

    static void setKey(SessionKey key, int number) {
        key.set(0, MAPPED_V4 | 0x0A00_0000L | number >>> 8, 1_024 + (number & 0xFF), 0, MAPPED_V4 | 0xC000_0201L, 443, 6, 0);
    }

    static SessionRecord session(int creator, long created) {
        SessionRecord session = new SessionRecord().incarnation(0, created, creator).owner(creator).timeoutMs(60_000).rule(1).zones(1, 2);
        session.original().raiseState(TcpHalf.SYN);
        return session;
    }
}
