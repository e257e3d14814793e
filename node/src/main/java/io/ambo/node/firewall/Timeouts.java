package io.ambo.node.firewall;

import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.PacketView;

/**
 * Idle times after which a session ends, by the phase it is in. All in milliseconds.
 *
 * @param tcpOpening     a SYN was seen, not yet both ends' agreement
 * @param tcpEstablished both ends have agreed
 * @param tcpClosing     one end has sent FIN
 * @param tcpClosed      both FINs are acknowledged, or RST: late segments still find their session
 * @param udpSingle      packets one way only
 * @param udpMultiple    packets both ways
 * @param icmp           echo
 * @param tombstone      how long an ended session is remembered, so that no late delta revives it; longer than the longest sync delay
 */
public record Timeouts(int tcpOpening, int tcpEstablished, int tcpClosing, int tcpClosed, int udpSingle, int udpMultiple, int icmp,
        int tombstone) {

    /** What a session is doing, as the CLI shows it. */
    public enum Phase {
        OPENING, ESTABLISHED, CLOSING, CLOSED, SINGLE, MULTIPLE, ECHO, TOMBSTONE
    }

    /** The phase, from the halves alone: what one node saw of each is enough, whichever of them arrived first. */
    public static Phase phase(SessionRecord session, int protocol) {
        if (session.has(SessionRecord.CLOSED)) return Phase.TOMBSTONE;
        TcpHalf original = session.original();
        TcpHalf reply = session.reply();
        if (protocol == PacketView.UDP) return reply.state() == TcpHalf.NONE ? Phase.SINGLE : Phase.MULTIPLE;
        if (protocol != PacketView.TCP) return Phase.ECHO;
        int originalState = effectiveState(original, reply);
        int replyState = effectiveState(reply, original);
        if (originalState == TcpHalf.CLOSED && replyState == TcpHalf.CLOSED) return Phase.CLOSED;
        if (originalState >= TcpHalf.FIN || replyState >= TcpHalf.FIN) return Phase.CLOSING;
        if (originalState == TcpHalf.ESTABLISHED && replyState == TcpHalf.ESTABLISHED) return Phase.ESTABLISHED;
        return Phase.OPENING;
    }

    /** Idle time of a session, with the rule's own for sessions in their main phase. */
    public int idleTimeoutMs(Phase phase, Rule rule) {
        return switch (phase) {
            case OPENING -> tcpOpening;
            case ESTABLISHED -> rule.timeoutMs() > 0 ? rule.timeoutMs() : tcpEstablished;
            case CLOSING -> tcpClosing;
            case CLOSED -> tcpClosed;
            case SINGLE -> rule.timeoutMs() > 0 ? Math.min(rule.timeoutMs(), udpSingle) : udpSingle;
            case MULTIPLE -> rule.timeoutMs() > 0 ? rule.timeoutMs() : udpMultiple;
            case ECHO -> rule.timeoutMs() > 0 ? rule.timeoutMs() : icmp;
            case TOMBSTONE -> tombstone;
        };
    }

    /** The half's state, counting an acknowledgement of its SYN or FIN that came in by another way than the flag itself. */
    private static int effectiveState(TcpHalf half, TcpHalf other) {
        int state = half.state();
        boolean acknowledged = half.has(TcpHalf.SEQ_KNOWN) && other.has(TcpHalf.ACK_KNOWN) && !TcpHalf.after(half.seqEnd(), other.ack());
        if (!acknowledged) return state;
        return state == TcpHalf.SYN ? TcpHalf.ESTABLISHED : state == TcpHalf.FIN ? TcpHalf.CLOSED : state;
    }
}
