package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The world beyond a node that translates. A capture shows a session as its opener does; who answers it sees the ends that the node has made of them. So replies,
 * and errors about packets of the session, go in with those ends; and to compare two replays, whose nodes may give out different ports, what comes out is given
 * the ends of the capture back. It learns them from what comes out, as the real world does. One for each replay.
 */
final class FarSide {
    /** Original flows as captured, and as they last left the node when it translated them; and back. */
    private final Map<Flow, Flow> out = new HashMap<>();
    private final Map<Flow, Flow> back = new HashMap<>();
    private final PacketView packet = new PacketView();
    private final PacketView quoted = new PacketView();

    /** The frame as it comes in to the node. */
    byte[] comingIn(Step step) {
        if (out.isEmpty()) return step.frame();
        Flow about = step.quoted();
        if (about != null) {
            Flow translated = out.get(about);
            return translated == null ? step.frame() : ofError(step.frame(), about, translated);
        }
        Flow flow = step.flow();
        Flow translated = flow == null ? null : out.get(flow.reversed());
        return translated == null ? step.frame() : withEnds(step.frame(), translated.reversed());
    }

    /** Whether the frame comes from where the ends are other than in the capture. */
    boolean isFar(Step step) {
        if (step.quoted() != null) return out.containsKey(step.quoted());
        return step.flow() != null && out.containsKey(step.flow().reversed());
    }

    /**
     * A packet of an original flow has left.
     *
     * @return the ends that it left with, or null when they are those of the capture
     */
    @Nullable
    Flow onSent(Step step, byte[] frame) {
        Flow flow = step.flow();
        if (flow == null || !parse(frame)) return null;
        Flow left = packet.isLaterFragment() ? laterFragment(flow) : Flow.of(packet);
        Flow before = left.equals(flow) ? out.remove(flow) : out.put(flow, left);
        if (before != null && !before.equals(left)) back.remove(before, flow);
        if (left.equals(flow)) return null;
        back.put(left, flow);
        return left;
    }

    /** A fragment without ports has those of its datagram. */
    private Flow laterFragment(Flow flow) {
        Flow known = out.get(flow);
        IpAddress source = new IpAddress(packet.sourceHigh(), packet.sourceLow());
        IpAddress destination = new IpAddress(packet.destinationHigh(), packet.destinationLow());
        if (known != null && known.source().equals(source) && known.destination().equals(destination)) return known;
        return new Flow(flow.protocol(), source, flow.sourcePort(), destination, flow.destinationPort());
    }

    /** A frame that the node sent to the far side, in the terms of the capture. */
    byte[] asCaptured(Step step, byte[] frame) {
        if (back.isEmpty() || !parse(frame)) return frame;
        if (packet.isIcmpError()) {
            if (Parser.parseQuoted(packet, quoted) != DropReason.NONE) return frame;
            Flow about = Flow.of(quoted);
            Flow captured = captured(about);
            return captured == null ? frame : ofError(frame, about, captured);
        }
        Flow left = Flow.of(packet);
        if (packet.isLaterFragment() && step.flow() != null) {
            Flow translated = out.get(step.flow());
            return translated == null ? frame : withEnds(frame, step.flow());
        }
        Flow captured = captured(left);
        return captured == null ? frame : withEnds(frame, captured);
    }

    private @Nullable Flow captured(Flow seen) {
        Flow original = back.get(seen);
        if (original != null) return original;
        Flow ofReply = back.get(seen.reversed());
        return ofReply == null ? null : ofReply.reversed();
    }

    private boolean parse(byte[] frame) {
        return Parser.parse(packet.wrap(MemorySegment.ofArray(frame), 0, frame.length)) == DropReason.NONE;
    }

    private byte[] withEnds(byte[] frame, Flow flow) {
        byte[] copy = frame.clone();
        parse(copy);
        if (packet.isLaterFragment()) packet.belongsTo(flow.protocol(), flow.sourcePort(), flow.destinationPort());
        flow.ends().writeTo(packet);
        return copy;
    }

    /** An error about one flow becomes the same error about another; its own ends follow. */
    private byte[] ofError(byte[] frame, Flow before, Flow after) {
        byte[] copy = frame.clone();
        if (!parse(copy) || Parser.parseQuoted(packet, quoted) != DropReason.NONE) return frame;
        after.ends().writeToQuoted(packet, quoted);
        parse(copy);
        Ends ends = new Ends().of(packet);
        if (is(packet.sourceHigh(), packet.sourceLow(), before.destination()))
            ends.source(after.destination().high(), after.destination().low(), packet.sourcePort());
        if (is(packet.destinationHigh(), packet.destinationLow(), before.source()))
            ends.destination(after.source().high(), after.source().low(), packet.destinationPort());
        ends.writeTo(packet);
        return copy;
    }

    private static boolean is(long high, long low, IpAddress address) { return address.high() == high && address.low() == low; }
}
