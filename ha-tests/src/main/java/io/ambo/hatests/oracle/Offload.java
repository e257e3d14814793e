package io.ambo.hatests.oracle;

import io.ambo.node.packet.Checksum;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Does what the network card had yet to do when a host captured its own packets: cuts large TCP segments (TSO), and sums where only the pseudo-header was summed
 * (checksum offload). What else is wrong with a packet stays wrong.
 */
final class Offload {
    private static final int MTU = 1500;
    private static final int TCP_CHECKSUM = 16, UDP_CHECKSUM = 6;

    private final PacketView view = new PacketView();
    private int cut;
    private int summed;

    /** Large segments that were cut. */
    int cut() { return cut; }

    /** Packets whose checksum was finished. */
    int summed() { return summed; }

    /** The frames that would have been on the wire. */
    List<byte[]> finish(byte[] frame) {
        MemorySegment memory = MemorySegment.ofArray(frame);
        Parser.parse(view.wrap(memory, 0, frame.length));
        boolean readable = (view.isTcp() || view.isUdp()) && !view.isFragment() && view.transport() > view.ip()
                && view.transport() + view.transportLength() <= frame.length;
        if (!readable) return List.of(frame);
        int field = (int) view.transport() + (view.isTcp() ? TCP_CHECKSUM : UDP_CHECKSUM);
        if (view.transportLength() < (view.isTcp() ? 20 : 8)) return List.of(frame);
        ByteBuffer bytes = ByteBuffer.wrap(frame);
        if (view.isTcp() && view.ipLength() > MTU && view.tcpPayload() > 0) {
            cut++;
            return segments(frame, (int) view.transport(), view.tcpPayload());
        }
        int pseudo = Checksum.fold(pseudoHeader(view.transportLength()));
        if ((bytes.getShort(field) & 0xFFFF) != pseudo) return List.of(frame);
        byte[] whole = frame.clone();
        sum(whole, (int) view.transport(), view.transportLength(), field);
        // One in 65,536 packets has that sum by right, and keeps it.
        if (!Arrays.equals(whole, frame)) summed++;
        return List.of(whole);
    }

    private List<byte[]> segments(byte[] frame, int transport, int payload) {
        int end = transport + view.transportLength();
        int payloadAt = end - payload;
        int ip = (int) view.ip();
        int most = MTU - (payloadAt - ip);
        int seq = view.tcpSeq();
        List<byte[]> segments = new ArrayList<>();
        for (int from = 0; from < payload; from += most) {
            int size = Math.min(most, payload - from);
            byte[] segment = Arrays.copyOf(frame, payloadAt + size);
            System.arraycopy(frame, payloadAt + from, segment, payloadAt, size);
            ByteBuffer bytes = ByteBuffer.wrap(segment);
            bytes.putInt(transport + 4, seq + from);
            if (from + size < payload) segment[transport + 13] &= ~(PacketView.FIN | PacketView.PSH);
            if (view.ipVersion() == 4) {
                bytes.putShort(ip + 2, (short) (payloadAt - ip + size));
                bytes.putShort(ip + 4, (short) (bytes.getShort(ip + 4) + segments.size()));
                bytes.putShort(ip + 10, (short) 0);
                bytes.putShort(ip + 10, (short) Checksum.finish(Checksum.sum(MemorySegment.ofArray(segment), ip, transport - ip)));
            } else {
                bytes.putShort(ip + 4, (short) (payloadAt - ip - 40 + size));
            }
            sum(segment, transport, payloadAt - transport + size, transport + TCP_CHECKSUM);
            segments.add(segment);
        }
        return segments;
    }

    private void sum(byte[] frame, int transport, int length, int field) {
        ByteBuffer bytes = ByteBuffer.wrap(frame).putShort(field, (short) 0);
        int checksum = Checksum.finish(pseudoHeader(length) + Checksum.sum(MemorySegment.ofArray(frame), transport, length));
        bytes.putShort(field, (short) (view.isUdp() && checksum == 0 ? 0xFFFF : checksum));
    }

    private long pseudoHeader(int length) {
        return Checksum.pseudoHeader(view.sourceHigh(), view.sourceLow(), view.destinationHigh(), view.destinationLow(), view.protocol(),
                length);
    }
}
