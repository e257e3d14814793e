package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The packet path makes no garbage: not a byte for a packet, once it is compiled. */
final class PacketAllocationTest {
    private static final int ROUNDS = 5_000;
    private static final int SLOT = 4096;
    private static final int HEADROOM = 256;

    private final ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private final List<byte[]> samples = List.copyOf(Samples.all().values());
    private final MemorySegment originals = Arena.ofAuto().allocate((long) SLOT * samples.size(), 8);
    private final MemorySegment memory = Arena.ofAuto().allocate((long) SLOT * 4, 8);
    private final int[] lengths = new int[samples.size()];
    private final PacketView packet = new PacketView();
    private final PacketView quoted = new PacketView();
    private final PacketView scratch = new PacketView();
    private final Fragments fragments = new Fragments(Fragments.Limits.DEFAULT, (handle, reason) -> {});
    private final Fragments.Released released = (fragment, handle) -> {};
    private final RateLimiter limiter = new RateLimiter(1000, 10);
    private long nowNs;
    private long seen;

    PacketAllocationTest() {
        for (int i = 0; i < samples.size(); i++) {
            lengths[i] = samples.get(i).length;
            MemorySegment.copy(MemorySegment.ofArray(samples.get(i)), 0, originals, (long) SLOT * i, lengths[i]);
        }
    }

    @Test
    void noPacketAllocates() {
        long least = Long.MAX_VALUE;
        // Compilation happens in the background: the first rounds are interpreted.
        for (int attempt = 0; attempt < 30 && least > 0; attempt++) {
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < ROUNDS; i++) everythingToEverySample();
            least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
        }
        // The measurement itself may cost an object or two.
        assertThat(least).as("bytes for %d packets", (long) ROUNDS * samples.size()).isLessThan(ROUNDS);
        assertThat(seen).isPositive();
    }

    private void everythingToEverySample() {
        for (int i = 0; i < lengths.length; i++) {
            MemorySegment.copy(originals, (long) SLOT * i, memory, HEADROOM, lengths[i]);
            nowNs += 1000;
            if (Parser.parse(packet.wrap(memory, HEADROOM, lengths[i])) != DropReason.NONE) throw new AssertionError(samples.get(i));
            if (Parser.verifyTransportChecksum(packet) == DropReason.NONE) seen++;
            if (packet.isIcmpError()) seen += Parser.parseQuoted(packet, quoted).ordinal();
            if (packet.isFragment() && fragments.onFragment(packet, 0, i, nowNs) == Fragments.Result.FIRST)
                seen += fragments.onFirstPassed(packet, scratch, released);
            seen += fragments.expire(nowNs, 2);
            if (limiter.tryAcquire(nowNs)) seen++;
            seen += IcmpReply.timeExceeded(packet, packet.destinationHigh(), packet.destinationLow(), memory, SLOT);
            seen += TcpReset.answer(packet, memory, SLOT);
            seen += Rewriter.decrementTtl(packet);
            Rewriter.setSource(packet, packet.sourceHigh(), packet.sourceLow() ^ 1, 99);
            Rewriter.setVlan(packet, 7);
            Rewriter.setMacs(packet, 1, 2);
            int count = Fragmenter.count(packet, 68);
            for (int n = 0; count > 1 && n < count; n++) seen += Fragmenter.write(packet, 68, n, memory, SLOT * 2);
        }
    }
}
