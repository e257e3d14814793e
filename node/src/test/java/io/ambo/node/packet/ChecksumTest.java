package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

final class ChecksumTest {

    @Test
    void theExampleOfRfc1071SumsUp() {
        byte[] bytes = { 0x00, 0x01, (byte) 0xf2, 0x03, (byte) 0xf4, (byte) 0xf5, (byte) 0xf6, (byte) 0xf7 };
        assertThat(Checksum.fold(Checksum.sum(MemorySegment.ofArray(bytes), 0, bytes.length))).isEqualTo(0xddf2);
        assertThat(Checksum.finish(Checksum.sum(MemorySegment.ofArray(bytes), 0, bytes.length))).isEqualTo(0x220d);
    }

    @Test
    void theExampleOfRfc1624IsUpdatedWithoutMinusZero() { assertThat(Checksum.replace16(0xDD2F, 0x5555, 0x3285)).isZero(); }

    @Test
    void theSumOfEveryLengthAndAlignmentIsTheNaiveOne() {
        Seeds.check("sum equals the naive sum", 2000, random -> {
            byte[] bytes = Seeds.bytes(random, random.nextInt(random.nextBoolean() ? 40 : 3000));
            int from = random.nextInt(bytes.length + 1);
            int to = random.nextInt(from, bytes.length + 1);
            int naive = PacketBuilder.naiveChecksum(Arrays.copyOfRange(bytes, from, to));
            // The memory ends with the range: a read behind it throws.
            assertThat(Checksum.finish(Checksum.sum(MemorySegment.ofArray(bytes).asSlice(0, to), from, to - from))).isEqualTo(naive);
        });
    }

    @Test
    void theLargestPacketDoesNotOverflowTheSum() {
        byte[] ones = new byte[65_535];
        Arrays.fill(ones, (byte) -1);
        assertThat(Checksum.finish(Checksum.sum(MemorySegment.ofArray(ones), 0, ones.length))).isEqualTo(PacketBuilder.naiveChecksum(ones));
    }

    @Test
    void anIncrementalUpdateEqualsTheRecomputedChecksum() {
        Seeds.check("incremental equals recomputed", 5000, random -> {
            byte[] bytes = Seeds.bytes(random, 2 * random.nextInt(16, 40));
            // A header is never all zero: with it alone, the two representations of zero could be told apart.
            bytes[0] = 0x45;
            int size = new int[]{ 2, 4, 16 }[random.nextInt(3)];
            int at = 2 * random.nextInt(1, (bytes.length - size) / 2 + 1);
            byte[] changed = bytes.clone();
            System.arraycopy(Seeds.bytes(random, size), 0, changed, at, size);
            assertThat(replaced(PacketBuilder.naiveChecksum(bytes), bytes, changed, at, size))
                    .isEqualTo(PacketBuilder.naiveChecksum(changed));
        });
    }

    @Test
    void thePseudoHeaderOfIpv4HasNoMappedPrefix() {
        long low = PacketView.IPV4_MAPPED_PREFIX | 0x0A00_0001L;
        assertThat(Checksum.pseudoHeader(0, low, 0, low + 1, 6, 20)).isEqualTo(0x0A00_0001L + 0x0A00_0002L + 26);
        assertThat(Checksum.pseudoHeader(0x2001_0DB8_0000_0000L, 1, 0, 2, 17, 8)).isEqualTo(0x2001_0DB8L + 1 + 2 + 25);
    }

    @Test
    void udpNeverSendsZero() {
        assertThat(Checksum.udp(0)).isEqualTo(0xFFFF);
        assertThat(Checksum.udp(7)).isEqualTo(7);
    }

    private static int replaced(int checksum, byte[] before, byte[] after, int at, int size) {
        MemorySegment b = MemorySegment.ofArray(before);
        MemorySegment a = MemorySegment.ofArray(after);
        return switch (size) {
            case 2 -> Checksum.replace16(checksum, Wire.u16(b, at), Wire.u16(a, at));
            case 4 -> Checksum.replace32(checksum, Wire.s32(b, at), Wire.s32(a, at));
            default -> Checksum.replace128(checksum, Wire.s64(b, at), Wire.s64(b, at + 8), Wire.s64(a, at), Wire.s64(a, at + 8));
        };
    }
}
