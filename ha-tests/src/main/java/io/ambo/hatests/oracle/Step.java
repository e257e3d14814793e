package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.packet.PacketView;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * One frame of a replay, and what can be said of it before.
 *
 * @param index    position in the {@link Script}, from 0
 * @param number   of the packet in the capture
 * @param part     of a packet that was cut: from 1; else 0
 * @param afterNs  since the first packet
 * @param flow     its ends; of a fragment those of its datagram, if the capture has the first one; null: it cannot be parsed, or it is an ICMP error
 * @param quoted   of an ICMP error: the flow of the packet it is about
 * @param source   null: it cannot be parsed
 * @param isOpener may open a session
 * @param isLater  a fragment that is not the first
 * @param datagram of a fragment: equal for all fragments of one datagram
 * @param text     one line for people
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
record Step(int index, int number, int part, long afterNs, byte[] frame, @Nullable Flow flow, @Nullable Flow quoted,
        @Nullable IpAddress source,
        @Nullable IpAddress destination, boolean isOpener, boolean isLater, @Nullable Object datagram, String text) {

    /** The session it belongs to, whichever way it goes; null: none that could be named. */
    @Nullable
    Flow conversation() {
        if (quoted != null) return quoted.either();
        return flow == null ? null : flow.either();
    }

    /** It goes the way that {@link #conversation} is written. An error goes against the packet that it is about. */
    boolean goesForward() {
        if (quoted != null) return !quoted.equals(quoted.either());
        return flow != null && flow.equals(flow.either());
    }

    String name() { return part == 0 ? Integer.toString(number) : number + "/" + part; }

    @Override
    public String toString() { return String.format(Locale.ROOT, "%s at %.6f s: %s", name(), afterNs / 1e9, text); }

    static String flags(PacketView packet) {
        StringBuilder text = new StringBuilder();
        if (packet.hasTcp(PacketView.SYN)) text.append('S');
        if (packet.hasTcp(PacketView.FIN)) text.append('F');
        if (packet.hasTcp(PacketView.RST)) text.append('R');
        if (packet.hasTcp(PacketView.PSH)) text.append('P');
        if (packet.hasTcp(PacketView.ACK)) text.append('A');
        return text.toString();
    }
}
