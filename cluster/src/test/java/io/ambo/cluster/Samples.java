package io.ambo.cluster;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import java.lang.foreign.MemorySegment;
import java.util.random.RandomGenerator;

/** Sessions to test with. */
public final class Samples {
    private static final long MAPPED = 0xFFFF_0000_0000L;

    private Samples() {}

    /** A different IPv4 key for each number. */
    public static SessionKey key(int number) {
        SessionKey key = new SessionKey();
        key.set(0, MAPPED | 0x0A00_0000L | number >>> 14, 1024 + (number & 0x3FFF), 0, MAPPED | 0xC0A8_0001L, 443, 6, 0);
        return key;
    }

    public static SessionRecord session(int creator, long created, long nowMs) {
        SessionRecord record = new SessionRecord().incarnation(0, created, creator).owner(creator).zones(1, 2).rule(77).timeoutMs(3_600_000)
                .lastSeenMs(nowMs);
        record.original().raiseState(TcpHalf.SYN);
        record.original().advanceSeqEnd(1000);
        return record;
    }

    public static SessionKey randomKey(RandomGenerator random) {
        SessionKey key = new SessionKey();
        boolean v4 = random.nextBoolean();
        key.set(v4 ? 0 : random.nextLong(), v4 ? MAPPED | random.nextInt() & 0xFFFFFFFFL : random.nextLong(), random.nextInt(65536),
                v4 ? 0 : random.nextLong(), v4 ? MAPPED | random.nextInt() & 0xFFFFFFFFL : random.nextLong(), random.nextInt(65536),
                random.nextInt(256), random.nextInt(65536));
        return key;
    }

    /** Every replicated field at random, in its bounds. */
    public static SessionRecord randomSession(RandomGenerator random, long nowMs) {
        SessionRecord record = new SessionRecord().incarnation(random.nextInt(), random.nextLong(), random.nextInt(1, 65536))
                .owner(random.nextInt(65536)).addFlags(random.nextInt(SessionRecord.ALL_FLAGS + 1))
                .zones(random.nextInt(65536), random.nextInt(65536))
                .rule(random.nextInt()).timeoutMs(random.nextInt(Integer.MAX_VALUE)).lastSeenMs(nowMs - random.nextInt(1_000_000));
        randomHalf(record.original(), random);
        randomHalf(record.reply(), random);
        record.counts(false, random.nextLong(1L << 48), random.nextLong(1L << 48)).counts(true, random.nextLong(1L << 48),
                random.nextLong(1L << 48));
        if (record.has(SessionRecord.TRANSLATED)) {
            byte[] ends = new byte[36];
            random.nextBytes(ends);
            record.translation().copyFrom(MemorySegment.ofArray(ends));
        }
        return record;
    }

    private static void randomHalf(TcpHalf half, RandomGenerator random) {
        if (random.nextInt(4) == 0) return;
        half.raiseState(random.nextInt(5));
        if (random.nextBoolean()) half.advanceSeqEnd(random.nextInt());
        if (random.nextBoolean()) half.advanceMaxEnd(random.nextInt());
        if (random.nextBoolean()) half.advanceAck(random.nextInt());
        if (random.nextBoolean()) half.raiseScale(random.nextInt(15));
        if (random.nextBoolean()) half.raiseMaxWindow(random.nextInt(Integer.MAX_VALUE));
    }

    /** The record's bytes, to compare. */
    public static byte[] bytes(SessionRecord record) {
        return record.segment().asSlice(record.offset(), SessionRecord.SIZE).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }

    public static byte[] bytes(SessionKey key) {
        return key.segment().asSlice(key.offset(), SessionKey.SIZE).toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
    }
}
