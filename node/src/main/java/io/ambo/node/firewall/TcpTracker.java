package io.ambo.node.firewall;

import static io.ambo.cluster.session.TcpHalf.ACK_KNOWN;
import static io.ambo.cluster.session.TcpHalf.CLOSED;
import static io.ambo.cluster.session.TcpHalf.ESTABLISHED;
import static io.ambo.cluster.session.TcpHalf.FIN;
import static io.ambo.cluster.session.TcpHalf.LIMIT_KNOWN;
import static io.ambo.cluster.session.TcpHalf.NONE;
import static io.ambo.cluster.session.TcpHalf.SCALE_KNOWN;
import static io.ambo.cluster.session.TcpHalf.SEQ_KNOWN;
import static io.ambo.cluster.session.TcpHalf.SYN;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import java.util.function.LongSupplier;

/**
 * Follows one TCP session by both of its halves and refuses what cannot belong to it. Pure: a record and a packet in, a verdict out, the record's halves
 * climbed. The checks are those of Guido van Rooij's "Real Stateful TCP Packet Filtering" with the stricter RST and SYN of RFC 5961.
 *
 * <pre>
 *   upper  seq + length  <=  maxEnd of the sender                     (what the receiver has allowed)
 *   lower  seq           >=  seqEnd of the sender - window of the receiver   (a retransmission)
 *   ack    ack           <=  seqEnd of the receiver                   (nothing is acknowledged that was not sent)
 *   old    ack           >=  seqEnd of the receiver - window of the sender
 *   RST    seq           ==  seqEnd of the sender, or ack of the receiver
 * </pre>
 *
 * <p>These bounds are exact as long as the node has seen every packet of the session. On an asymmetric path, and after a take-over, it has part of its
 * knowledge from deltas, which come a moment later and in steps; and what a node that died had forwarded last is known to nobody but the ends. There the
 * upper bound has a slack of one window of the receiver and {@link #DELTA_SLACK} bytes, and an acknowledgement is bounded by what the receiver was allowed
 * to send (its maxEnd) with the same slack, instead of by what it is known to have sent: after a take-over an end may acknowledge at once, or when the hole
 * before it is filled, what passed through the dead node, and would be refused for ever.
 */
public final class TcpTracker {
    /** Bytes by which knowledge from deltas may lag behind, beside one window. */
    public static final int DELTA_SLACK = 65_536;
    /** The largest window without scaling; what is assumed before a window was seen. */
    private static final int UNSCALED_WINDOW = 65_535;
    /** How far back an acknowledgement may lie at least: a window and a segment, as in pf. */
    private static final int OLDEST_ACK = 66_000;
    /** Assumed in sessions that were picked up mid-stream, where no SYN told the scale. */
    static final int LARGEST_SCALE = 14;
    /** Peers hear of a half's progress in steps of a quarter of the window, but no smaller ones than this. */
    private static final int SMALLEST_STEP = 16_384;

    private TcpTracker() {}

    /**
     * Whether a SYN starts a new life of the session: the old one is over, or was never answered and begins at another sequence number.
     *
     * @param sender the half that sends the SYN
     */
    public static boolean reopens(SessionRecord session, TcpHalf sender, TcpHalf receiver, PacketView packet) {
        if (!packet.hasTcp(PacketView.SYN) || packet.hasTcp(PacketView.ACK)) return false;
        if (session.has(SessionRecord.CLOSED)) return true;
        if (sender.state() >= FIN && receiver.state() >= FIN) return true;
        return sender.state() == SYN && receiver.state() == NONE && packet.tcpSeq() + length(packet) != sender.seqEnd();
    }

    /** Writes the first packet of a session, a SYN or (mid-stream) any other segment, into an empty record. */
    public static void open(SessionRecord session, PacketView packet) {
        TcpHalf sender = session.original();
        TcpHalf receiver = session.reply();
        boolean midStream = !packet.hasTcp(PacketView.SYN) || packet.hasTcp(PacketView.ACK);
        if (midStream) {
            session.addFlags(SessionRecord.MID_STREAM);
            sender.raiseState(ESTABLISHED);
            receiver.raiseState(ESTABLISHED);
        }
        advance(session, sender, receiver, packet);
    }

    /**
     * Judges a segment of an open session and climbs its halves.
     *
     * @param seenWhole this node has seen every packet of the session itself: its knowledge is complete and no slack is needed
     * @param adopt     the sender's half has run through the fast path of another node, and what is known of it may be a second old: its first packet here is
     *                  taken at its word
     * @return NONE, or why the segment is refused; then nothing has changed
     */
    public static DropReason track(SessionRecord session, TcpHalf sender, TcpHalf receiver, PacketView packet, boolean seenWhole,
            boolean adopt) {
        if (packet.hasTcp(PacketView.RST)) return trackReset(sender, receiver, packet);
        if (packet.hasTcp(PacketView.SYN)) {
            DropReason refused = checkSyn(sender, receiver, packet);
            if (refused != DropReason.NONE) return refused;
            // A SYN inside the session passes and means nothing (RFC 5961, 4), unless it ends a simultaneous open.
            if (isIdle(sender, receiver, packet)) return DropReason.NONE;
        } else {
            if (!packet.hasTcp(PacketView.ACK)) return DropReason.TCP_FLAGS;
            DropReason refused = adopt ? DropReason.NONE : checkWindow(session, sender, receiver, packet, seenWhole);
            if (refused != DropReason.NONE) return refused;
        }
        advance(session, sender, receiver, packet);
        return DropReason.NONE;
    }

    /** True for a SYN inside the session: if it passes, it changes nothing and does not keep the session alive. */
    public static boolean isIdle(TcpHalf sender, TcpHalf receiver, PacketView packet) {
        return packet.hasTcp(PacketView.SYN) && !packet.hasTcp(PacketView.RST) && sender.state() > SYN
                && !endsSimultaneousOpen(sender, receiver, packet);
    }

    /** True for a SYN or SYN-ACK that its sender may have sent before, since it has come no further than a window since. */
    public static boolean isRepeated(TcpHalf sender, TcpHalf receiver, PacketView packet) {
        int sinceThen = sender.seqEnd() - packet.tcpSeq();
        return sender.has(SEQ_KNOWN) && sinceThen > 0 && sinceThen <= Math.max(receiver.maxWindow(), UNSCALED_WINDOW);
    }

    /**
     * A SYN-ACK inside the session: when it acknowledges a SYN that passed inside it too, both ends have begun their next connection, whatever became of this one. Then the
     * record begins anew, in the next epoch, as it would have with that SYN; zones, rule, translation and owner stay.
     *
     * @param receiver the half that the SYN came from
     * @param created  the node's clock, asked only then
     * @return true: the SYN-ACK is the second packet of the new life, and still to be tracked
     */
    public static boolean beginsAnew(SessionKey key, SessionRecord session, TcpHalf receiver, PacketView synAck, PassedSyns passed,
            LongSupplier created) {
        long note = passed.take(key, synAck);
        if (note == 0) return false;
        session.beginAnew(created.getAsLong());
        receiver.raiseState(SYN);
        receiver.advanceSeqEnd(synAck.tcpAck());
        if (PassedSyns.scale(note) >= 0) receiver.raiseScale(PassedSyns.scale(note));
        receiver.raiseMaxWindow(PassedSyns.window(note));
        return true;
    }

    /** True when both ends have closed, or one has reset. */
    public static boolean isOver(TcpHalf original, TcpHalf reply) {
        return original.state() == CLOSED && reply.state() == CLOSED;
    }

    /** Bytes between two reports of a half's progress to the peers; a power of two. */
    public static int step(int maxWindow) {
        return Integer.highestOneBit(Math.max(SMALLEST_STEP, maxWindow >>> 2));
    }

    private static boolean endsSimultaneousOpen(TcpHalf sender, TcpHalf receiver, PacketView packet) {
        return packet.hasTcp(PacketView.ACK) && receiver.state() == SYN && packet.tcpSeq() + length(packet) == sender.seqEnd()
                && packet.tcpAck() == receiver.seqEnd();
    }

    private static DropReason trackReset(TcpHalf sender, TcpHalf receiver, PacketView packet) {
        boolean exact;
        if (sender.state() == NONE) {
            // The answer to a SYN has no place of its own yet; it must acknowledge the SYN (RFC 9293, 3.10.7.3).
            exact = packet.hasTcp(PacketView.ACK) && receiver.has(SEQ_KNOWN) && packet.tcpAck() == receiver.seqEnd();
        } else {
            exact = sender.has(SEQ_KNOWN) && packet.tcpSeq() == sender.seqEnd()
                    || receiver.has(ACK_KNOWN) && packet.tcpSeq() == receiver.ack();
        }
        if (!exact) return DropReason.TCP_RST_OUT_OF_WINDOW;
        sender.raiseState(CLOSED);
        receiver.raiseState(CLOSED);
        return DropReason.NONE;
    }

    private static DropReason checkSyn(TcpHalf sender, TcpHalf receiver, PacketView packet) {
        boolean withAck = packet.hasTcp(PacketView.ACK);
        if (withAck && receiver.has(SEQ_KNOWN)) {
            // It acknowledges the SYN, and with TCP Fast Open perhaps its data (RFC 7413).
            int unacknowledged = receiver.seqEnd() - packet.tcpAck();
            if (sender.state() <= SYN && (unacknowledged < 0 || unacknowledged > UNSCALED_WINDOW)) return DropReason.TCP_ACK_OUT_OF_WINDOW;
        }
        if (sender.state() == NONE || !sender.has(SEQ_KNOWN)) return DropReason.NONE;
        int end = packet.tcpSeq() + length(packet);
        if (sender.state() == SYN)
            return end == sender.seqEnd() || withAck && !TcpHalf.after(end, sender.seqEnd()) ? DropReason.NONE : DropReason.TCP_STATE;
        // Established. A repeated SYN-ACK, and a SYN of a host that has forgotten, pass and draw the ACK that tells it so; one that lies in the window
        // would reset a receiver older than RFC 5961.
        boolean repeated = packet.tcpSeq() - sender.seqEnd() < 0;
        boolean inWindow = !repeated && sender.has(LIMIT_KNOWN) && !TcpHalf.after(packet.tcpSeq(), sender.maxEnd());
        return inWindow ? DropReason.TCP_SYN_IN_SESSION : DropReason.NONE;
    }

    private static DropReason checkWindow(SessionRecord session, TcpHalf sender, TcpHalf receiver, PacketView packet,
            boolean seenWhole) {
        int seq = packet.tcpSeq();
        int end = seq + length(packet);
        int ack = packet.tcpAck();
        boolean midStream = session.has(SessionRecord.MID_STREAM);
        int receiverWindow = Math.max(receiver.maxWindow(), midStream || !seenWhole ? UNSCALED_WINDOW : 1);
        int senderWindow = Math.max(sender.maxWindow(), OLDEST_ACK);

        if (sender.has(SEQ_KNOWN)) {
            int slack = seenWhole ? 0 : saturatedAdd(receiverWindow, DELTA_SLACK);
            int upper = sender.has(LIMIT_KNOWN) ? sender.maxEnd() : sender.seqEnd() + UNSCALED_WINDOW;
            if (!seenWhole) {
                // What the receiver has allowed since is perhaps known to the peer alone; more than a window beyond what was sent it cannot be.
                int sent = sender.seqEnd() + receiverWindow;
                if (TcpHalf.after(sent, upper)) upper = sent;
            }
            upper += slack;
            // A segment that starts at the edge of a closed window is a probe (RFC 9293, 3.8.6.1): one byte beyond is let through.
            if (end - upper > 1) return DropReason.TCP_OUT_OF_WINDOW;
            if (seq - (sender.seqEnd() - saturatedAdd(receiverWindow, 1)) < 0) return DropReason.TCP_OUT_OF_WINDOW;
        }
        if (receiver.has(SEQ_KNOWN)) {
            int newest = receiver.seqEnd();
            if (!seenWhole) {
                // Between what was reported and what it may have sent since. Before the sender's first ACK only the initial window is known.
                int allowed = receiver.has(LIMIT_KNOWN) && TcpHalf.after(receiver.maxEnd(), newest) ? receiver.maxEnd() : newest;
                newest = allowed + saturatedAdd(sender.maxWindow(), DELTA_SLACK);
            }
            if (session.has(SessionRecord.FRAGMENTED)) newest += UNSCALED_WINDOW;
            if (TcpHalf.after(ack, newest)) return DropReason.TCP_ACK_OUT_OF_WINDOW;
            if (ack - (receiver.seqEnd() - saturatedAdd(senderWindow, 1)) < 0) return DropReason.TCP_ACK_OUT_OF_WINDOW;
        }
        return DropReason.NONE;
    }

    /** Climbs both halves by what an accepted segment says. */
    private static void advance(SessionRecord session, TcpHalf sender, TcpHalf receiver, PacketView packet) {
        boolean syn = packet.hasTcp(PacketView.SYN);
        if (packet.isFragment()) session.addFlags(SessionRecord.FRAGMENTED);
        int end = packet.tcpSeq() + length(packet);
        sender.advanceSeqEnd(end);
        if (syn) {
            sender.raiseState(SYN);
            if (packet.tcpScale() >= 0) sender.raiseScale(Math.min(packet.tcpScale(), LARGEST_SCALE));
        }
        int window = window(session, sender, receiver, packet, syn);
        sender.raiseMaxWindow(window);
        if (packet.hasTcp(PacketView.ACK)) {
            int ack = packet.tcpAck();
            sender.advanceAck(ack);
            receiver.advanceMaxEnd(ack + Math.max(window, 1));
            acknowledge(receiver, ack);
            // What is acknowledged was sent, whether or not it passed here: knowledge that lags behind catches up.
            if (receiver.has(SEQ_KNOWN)) receiver.advanceSeqEnd(ack);
        }
        if (packet.hasTcp(PacketView.FIN)) sender.raiseState(FIN);
    }

    /** The receiver's SYN, or its FIN, has been acknowledged. */
    private static void acknowledge(TcpHalf receiver, int ack) {
        if (!receiver.has(SEQ_KNOWN)) {
            // Its SYN passed through the peer and the delta is still on its way; that the sender answers it is proof enough that it was sent.
            receiver.raiseState(ESTABLISHED);
            return;
        }
        boolean all = !TcpHalf.after(receiver.seqEnd(), ack);
        // Below SYN: neither its SYN nor a delta of it has come, but segments have, and they are answered.
        if (receiver.state() < ESTABLISHED && all) receiver.raiseState(ESTABLISHED);
        if (receiver.state() == FIN && all) receiver.raiseState(CLOSED);
    }

    private static int window(SessionRecord session, TcpHalf sender, TcpHalf receiver, PacketView packet, boolean syn) {
        if (syn) return packet.tcpWindow(); // never scaled: RFC 7323, 2.2
        if (session.has(SessionRecord.MID_STREAM)) return packet.tcpWindow() << (sender.has(SCALE_KNOWN) ? sender.scale() : LARGEST_SCALE);
        return sender.has(SCALE_KNOWN) && receiver.has(SCALE_KNOWN) ? packet.tcpWindow() << sender.scale() : packet.tcpWindow();
    }

    private static int length(PacketView packet) {
        return packet.tcpPayload() + (packet.hasTcp(PacketView.SYN) ? 1 : 0) + (packet.hasTcp(PacketView.FIN) ? 1 : 0);
    }

    private static int saturatedAdd(int a, int b) { return (int) Math.min((long) a + b, 1 << 30); }
}
