package io.ambo.cluster.session;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HexFormat;
import org.junit.jupiter.api.Test;

/** The bytes of keys, halves and records: golden, since a table file outlives the program that wrote it. */
class LayoutTest {
    @Test
    void aKeyHasTheLowerEndFirstWhicheverFlowItIsMadeFrom() {
        SessionKey key = new SessionKey();
        assertThat(key.set(0, 0xFFFF_0A00_0001L, 40_000, 0, 0xFFFF_C000_0201L, 443, 6, 3)).isFalse();
        String golden = "00000000000000000000ffff0a000001" + "00000000000000000000ffffc0000201" + "9c40" + "01bb" + "06" + "00" + "0003";
        assertThat(hex(key.segment(), SessionKey.SIZE)).isEqualTo(golden);
        SessionKey fromReply = new SessionKey();
        assertThat(fromReply.set(0, 0xFFFF_C000_0201L, 443, 0, 0xFFFF_0A00_0001L, 40_000, 6, 3)).isTrue();
        assertThat(fromReply.sameAs(key)).isTrue();
        assertThat(fromReply.hash()).isEqualTo(key.hash());
    }

    @Test
    void theKeyHashIsTheSameOnEveryNodeAndInEveryVersion() {
        SessionKey key = new SessionKey();
        key.set(0, 0xFFFF_0A00_0001L, 40_000, 0, 0xFFFF_C000_0201L, 443, 6, 3);
        assertThat(Long.toHexString(key.hash())).isEqualTo("9fced1bcd9f56613");
        assertThat(SessionTable.bucket(key)).isEqualTo((int) (key.hash() >>> 52));
    }

    @Test
    void aHalfIsTwentyBytes() {
        TcpHalf half = new TcpHalf();
        fill(half, 0x0102_0304);
        assertThat(TcpHalf.SIZE).isEqualTo(20);
        assertThat(littleEndianHex(half)).isEqualTo("04030201" + "04030211" + "04030221" + "00001000" + "02" + "07" + "0f" + "00");
    }

    @Test
    void aRecordIsOneHundredAndFortyBytes() {
        SessionRecord session = new SessionRecord().incarnation(0x0A0B_0C0D, 0x0102_0304_0506_0708L, 0x1112).owner(0x2122)
                .addFlags(SessionRecord.CLOSED | SessionRecord.TRANSLATED).localFlags(SessionRecord.REPLY_SEEN_HERE).zones(0x3132, 0x4142)
                .rule(0x5152_5354).timeoutMs(0x6162_6364).lastSeenMs(0x7172_7374_7576_7778L);
        fill(session.original(), 0x0102_0304);
        session.reply().raiseState(TcpHalf.SYN);
        session.translation().set(ValueLayout.JAVA_BYTE, 0, (byte) 0xAA);
        session.translation().set(ValueLayout.JAVA_BYTE, 35, (byte) 0xBB);
        session.count(false, 3, 0x0000_9192_9394_9596L);
        session.count(true, 5, 7);
        assertThat(SessionRecord.SIZE).isEqualTo(140);
        assertThat(hex(session.segment(), SessionRecord.SIZE)).isEqualTo("0807060504030201" + "0d0c0b0a" + "1211" + "2221" + "1200" + "0200"
                + "3231" + "4241" + "54535251" + "64636261" + "04030201040302110403022100001000" + "02070f00"
                + "00000000000000000000000000000000" + "01000000" + "7877767574737271" + "aa" + "00".repeat(34) + "bb"
                + "030000000000" + "050000000000" + "969594939291" + "070000000000");
    }

    @Test
    void aCounterStopsAtItsLimitAndNeverWraps() {
        SessionRecord session = new SessionRecord();
        session.count(true, 1, (1L << 48) - 2);
        session.count(true, 1, 1_000);
        assertThat(session.bytes(true)).isEqualTo((1L << 48) - 1);
        assertThat(session.packets(true)).isEqualTo(2);
    }

    private static void fill(TcpHalf half, int sequence) {
        half.advanceSeqEnd(sequence);
        half.advanceMaxEnd(sequence + 0x1000_0000);
        half.advanceAck(sequence + 0x2000_0000);
        half.raiseMaxWindow(1 << 20);
        half.raiseState(TcpHalf.ESTABLISHED);
        half.raiseScale(7);
    }

    private static String littleEndianHex(TcpHalf half) {
        SessionRecord session = new SessionRecord();
        session.original().copyFrom(half);
        return hex(session.segment().asSlice(SessionRecord.ORIGINAL), TcpHalf.SIZE);
    }

    private static String hex(MemorySegment segment, int size) {
        return HexFormat.of().formatHex(segment.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE));
    }
}
