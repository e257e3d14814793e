package io.ambo.node.packet;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Parses frames in ways that show a read outside of them: in memory that ends with the frame and begins with it, where such a read throws, and between guard
 * bytes of two kinds, where it gives two answers.
 */
final class Guarded {
    private static final int GUARD = 128;

    private Guarded() {}

    /** Everything the parser can be asked about a frame. Returns the verdict of {@link Parser#parse}. */
    static DropReason parse(byte[] frame) {
        PacketView exact = new PacketView().wrap(MemorySegment.ofArray(frame.clone()), 0, frame.length);
        PacketView quoted = new PacketView();
        DropReason[] verdicts = ask(exact, quoted);
        for (byte guard : new byte[]{ 0, -1, 0x45 }) {
            byte[] memory = new byte[frame.length + 2 * GUARD];
            Arrays.fill(memory, guard);
            System.arraycopy(frame, 0, memory, GUARD, frame.length);
            PacketView guarded = new PacketView().wrap(MemorySegment.ofArray(memory), GUARD, frame.length);
            PacketView guardedQuote = new PacketView();
            assertThat(ask(guarded, guardedQuote)).isEqualTo(verdicts);
            shift(guarded);
            shift(guardedQuote);
            assertThat(fields(guarded)).isEqualTo(fields(exact));
            assertThat(fields(guardedQuote)).isEqualTo(fields(quoted));
        }
        return verdicts[0];
    }

    private static DropReason[] ask(PacketView view, PacketView quoted) {
        DropReason verdict = Parser.parse(view);
        if (verdict != DropReason.NONE) return new DropReason[]{ verdict };
        DropReason checksum = Parser.verifyTransportChecksum(view);
        return view.isIcmpError()
                ? new DropReason[]{ verdict, checksum, Parser.parseQuoted(view, quoted) }
                : new DropReason[]{ verdict, checksum };
    }

    private static void shift(PacketView view) {
        if (view.segment.equals(MemorySegment.NULL)) return;
        view.frame -= GUARD;
        view.ip -= GUARD;
        view.transport -= GUARD;
    }

    /** All but the memory. */
    private static String fields(PacketView v) {
        return String.join(" ", Long.toString(v.frame), "" + v.frameLength, "" + v.vlan, "" + v.etherType, "" + v.ipVersion, "" + v.ip,
                "" + v.ipLength, "" + v.protocol, "" + v.transport, "" + v.transportLength, "" + v.ttl, "" + v.sourceHigh, "" + v.sourceLow,
                "" + v.destinationHigh, "" + v.destinationLow, "" + v.sourcePort, "" + v.destinationPort, "" + v.fragment,
                "" + v.fragmentOffset, "" + v.moreFragments, "" + v.fragmentId, "" + v.fragmentLength, "" + v.dontFragment, "" + v.tcpFlags,
                "" + v.tcpSeq, "" + v.tcpAck, "" + v.tcpWindow, "" + v.tcpPayload, "" + v.tcpScale, "" + v.tcpMss, "" + v.tcpSackPermitted,
                "" + v.icmpType, "" + v.icmpCode, "" + v.icmpError, "" + v.datagram);
    }
}
