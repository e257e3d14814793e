package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;

/** Whatever the bytes: the parser answers, reads nothing outside of the frame, and what it lets through keeps its promises. */
final class ParserPropertyTest {
    private static final List<byte[]> SAMPLES = List.copyOf(Samples.all().values());

    @Test
    void randomBytesAreAnswered() {
        Seeds.check("random bytes", 3000, random -> {
            byte[] frame = Seeds.bytes(random, random.nextInt(200));
            if (frame.length > 14) {
                frame[0] &= (byte) ~1;
                boolean isIpv4 = random.nextBoolean();
                frame[12] = (byte) (isIpv4 ? 0x08 : 0x86);
                frame[13] = (byte) (isIpv4 ? 0x00 : 0xDD);
                frame[14] = (byte) ((isIpv4 ? 0x40 : 0x60) | frame[14] & 0xF);
            }
            Guarded.parse(frame);
        });
    }

    @Test
    void mutatedSamplesAreAnswered() {
        Seeds.check("mutated samples", 10_000, random -> {
            byte[] frame = SAMPLES.get(random.nextInt(SAMPLES.size())).clone();
            for (int i = random.nextInt(1, 4); i > 0; i--) mutate(frame, random);
            if (random.nextInt(8) != 0) fixIpChecksum(frame);
            Guarded.parse(frame);
        });
    }

    /** What the parser accepts can be rewritten and answered without a look at its lengths. */
    @Test
    void whateverIsAcceptedCanBeRewrittenAndAnswered() {
        Seeds.check("accepted packets are safe", 5000, random -> {
            byte[] frame = SAMPLES.get(random.nextInt(SAMPLES.size())).clone();
            mutate(frame, random);
            fixIpChecksum(frame);
            // Nothing behind the frame, four bytes before it.
            PacketView view = PacketBuilder.view(frame);
            if (Parser.parse(view) != DropReason.NONE) return;
            PacketView quoted = new PacketView();
            if (view.isIcmpError() && Parser.parseQuoted(view, quoted) == DropReason.NONE) {
                Rewriter.setQuotedSource(view, quoted, quoted.sourceHigh(), quoted.sourceLow() ^ 1, 99);
                Rewriter.setQuotedDestination(view, quoted, quoted.destinationHigh(), quoted.destinationLow() ^ 1, 99);
            }
            MemorySegment into = MemorySegment.ofArray(new byte[IcmpReply.FRAME_SIZE_MAX_BYTES]);
            IcmpReply.timeExceeded(view, view.destinationHigh(), view.destinationLow(), into, 0);
            TcpReset.answer(view, into, 0);
            if (view.ttl() > 1) Rewriter.decrementTtl(view);
            Rewriter.setSource(view, view.sourceHigh(), view.sourceLow() ^ 1, 99);
            Rewriter.setDestination(view, view.destinationHigh(), view.destinationLow() ^ 2, 98);
            Rewriter.setVlan(view, random.nextInt(-1, 4095));
            int count = Fragmenter.count(view, 68);
            for (int i = 0; count > 1 && i < count; i++) Fragmenter.write(view, 68, i, into, 0);
            DropReason after = Parser.parse(view);
            assertThat(after).isIn(DropReason.NONE, DropReason.IP_SOURCE, DropReason.IP_DESTINATION);
        });
    }

    private static void mutate(byte[] frame, SplittableRandom random) {
        // Headers are where it matters.
        int at = random.nextInt(random.nextBoolean() ? Math.min(frame.length, 80) : frame.length);
        frame[at] = switch (random.nextInt(4)) {
            case 0 -> (byte) random.nextInt();
            case 1 -> (byte) (frame[at] ^ 1 << random.nextInt(8));
            case 2 -> (byte) (frame[at] + random.nextInt(-2, 3));
            default -> (byte) (random.nextBoolean() ? 0 : -1);
        };
    }

    /** Else nearly all would be refused for it. */
    static void fixIpChecksum(byte[] frame) {
        int ip = frame.length > 18 && frame[12] == (byte) 0x81 ? 18 : 14;
        if (frame.length < ip + 20 || frame[ip] >> 4 != 4) return;
        int size = Math.max(20, (frame[ip] & 0xF) * 4);
        if (frame.length < ip + size) return;
        frame[ip + 10] = frame[ip + 11] = 0;
        int checksum = PacketBuilder.naiveChecksum(Arrays.copyOfRange(frame, ip, ip + size));
        frame[ip + 10] = (byte) (checksum >>> 8);
        frame[ip + 11] = (byte) checksum;
    }
}
