package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.hatests.capture.CapturedPacket;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A capture as a list of steps, each told apart once for all replays.
 *
 * @param steps   in the order of the capture
 * @param skipped packets that are not IP: a node leaves them to its kernel
 * @param cut     large segments that were cut, see {@link Offload}
 * @param summed  packets whose checksum was finished
 */
record Script(List<Step> steps, int skipped, int cut, int summed) {

    /** Names the datagram of a fragment. */
    private record Datagram(IpAddress source, IpAddress destination, int id) {
        static Datagram of(PacketView packet) {
            return new Datagram(new IpAddress(packet.sourceHigh(), packet.sourceLow()),
                    new IpAddress(packet.destinationHigh(), packet.destinationLow()), packet.fragmentId());
        }
    }

    static Script of(List<CapturedPacket> packets) {
        Map<Datagram, Flow> firsts = firstFragments(packets);
        Offload offload = new Offload();
        List<Step> steps = new ArrayList<>();
        int skipped = 0;
        long beginNs = packets.isEmpty() ? 0 : packets.getFirst().timeNs();
        long afterNs = 0;
        for (CapturedPacket packet : packets) {
            // A capture of several processors may go back by a little; a clock does not.
            afterNs = Math.max(afterNs, packet.timeNs() - beginNs);
            if (!isIp(packet.frame())) {
                skipped++;
                continue;
            }
            List<byte[]> frames = offload.finish(packet.frame());
            for (int part = 0; part < frames.size(); part++)
                steps.add(step(steps.size(), packet.number(), frames.size() == 1 ? 0 : part + 1, afterNs, frames.get(part), firsts));
        }
        return new Script(List.copyOf(steps), skipped, offload.cut(), offload.summed());
    }

    int longestFrame() { return steps.stream().mapToInt(step -> step.frame().length).max().orElse(0); }

    private static boolean isIp(byte[] frame) {
        int at = 12;
        if (frame.length > at + 5 && (frame[at] & 0xFF) == 0x81 && frame[at + 1] == 0) at += 4;
        if (frame.length < at + 2) return false;
        int type = (frame[at] & 0xFF) << 8 | frame[at + 1] & 0xFF;
        return type == 0x0800 || type == 0x86DD;
    }

    private static Map<Datagram, Flow> firstFragments(List<CapturedPacket> packets) {
        Map<Datagram, Flow> firsts = new HashMap<>();
        PacketView view = new PacketView();
        for (CapturedPacket packet : packets) {
            if (Parser.parse(view.wrap(MemorySegment.ofArray(packet.frame()), 0, packet.frame().length)) != DropReason.NONE) continue;
            if (view.isFragment() && view.fragmentOffset() == 0) firsts.put(Datagram.of(view), Flow.of(view));
        }
        return firsts;
    }

    private static Step step(int index, int number, int part, long afterNs, byte[] frame, Map<Datagram, Flow> firsts) {
        PacketView view = new PacketView();
        DropReason malformed = Parser.parse(view.wrap(MemorySegment.ofArray(frame), 0, frame.length));
        if (malformed != DropReason.NONE)
            return new Step(index, number, part, afterNs, frame, null, null, null, null, false, false, null,
                    frame.length + " bytes, " + malformed.help());
        IpAddress source = new IpAddress(view.sourceHigh(), view.sourceLow());
        IpAddress destination = new IpAddress(view.destinationHigh(), view.destinationLow());
        if (view.isIcmpError()) {
            Flow quoted = quoted(view);
            String about = quoted == null ? "about what cannot be read" : "about " + quoted;
            return new Step(index, number, part, afterNs, frame, null, quoted, source, destination, false, false, null,
                    "icmp error " + view.icmpType() + "/" + view.icmpCode() + " " + source + " > " + destination + " " + about);
        }
        boolean later = view.isLaterFragment();
        Flow flow = later ? firsts.get(Datagram.of(view)) : Flow.of(view);
        boolean opener = !later && (view.isTcp()
                ? view.hasTcp(PacketView.SYN) && !view.hasTcp(PacketView.ACK | PacketView.RST)
                : view.isUdp() || view.isEchoRequest());
        return new Step(index, number, part, afterNs, frame, flow, null, source, destination, opener, later,
                view.isFragment() ? Datagram.of(view) : null,
                text(view, flow, source, destination));
    }

    private static @Nullable Flow quoted(PacketView error) {
        PacketView quoted = new PacketView();
        return Parser.parseQuoted(error, quoted) == DropReason.NONE ? Flow.of(quoted) : null;
    }

    private static String text(PacketView view, @Nullable Flow flow, IpAddress source, IpAddress destination) {
        StringBuilder text = new StringBuilder(flow == null ? source + " > " + destination : flow.toString());
        if (view.isTcp() && !view.isLaterFragment()) {
            text.append(' ').append(Step.flags(view)).append(" seq ").append(Integer.toUnsignedString(view.tcpSeq()));
            if (view.hasTcp(PacketView.ACK)) text.append(" ack ").append(Integer.toUnsignedString(view.tcpAck()));
            text.append(" window ").append(view.tcpWindow()).append(" length ").append(view.tcpPayload());
        } else {
            text.append(" length ").append(view.ipLength());
        }
        if (view.isFragment()) text.append(" fragment at ").append(view.fragmentOffset()).append(view.moreFragments() ? "+" : "");
        return text.toString();
    }
}
