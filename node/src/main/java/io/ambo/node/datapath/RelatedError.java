package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.PacketView;
import io.ambo.node.packet.Parser;

/**
 * Ties an ICMP error to the session whose packet it quotes. The session does not change: an error is a hint to its receiver and nothing more (RFC 5927).
 * One for each worker.
 */
final class RelatedError implements SessionTable.Visitor {
    private static final int LEAST_WINDOW = 65_535;

    private final PacketView error;
    private final FastPath fastPath;
    private final PacketView quoted = new PacketView();
    private boolean sourceIsHigh;
    private DropReason reason = NONE;

    RelatedError(PacketView error, FastPath fastPath) {
        this.error = error;
        this.fastPath = fastPath;
    }

    /**
     * Judges the parsed error.
     *
     * @param key filled with the key of the session it is about
     */
    DropReason judge(SessionTable sessions, SessionKey key) {
        DropReason malformed = Parser.parseQuoted(error, quoted);
        if (malformed != NONE) return malformed;
        sourceIsHigh = quoted.writeKey(key, 0);
        return sessions.update(key, this) ? reason : DropReason.ICMP_ERROR_WITHOUT_SESSION;
    }

    @Override
    public void onSession(SessionKey key, SessionRecord session) {
        reason = NONE;
        if (session.has(SessionRecord.CLOSED)) {
            reason = DropReason.ICMP_ERROR_WITHOUT_SESSION;
            return;
        }
        if (!quoted.isTcp()) return;
        if (session.hasLocal(SessionRecord.CACHED)) fastPath.refresh(key, session);
        boolean ofReply = sourceIsHigh != session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        TcpHalf sender = ofReply ? session.reply() : session.original();
        TcpHalf receiver = ofReply ? session.original() : session.reply();
        if (!sender.has(TcpHalf.SEQ_KNOWN)) return;
        int newest = sender.has(TcpHalf.LIMIT_KNOWN) && TcpHalf.after(sender.maxEnd(), sender.seqEnd()) ? sender.maxEnd() : sender.seqEnd();
        int oldest = sender.seqEnd() - Math.max(receiver.maxWindow(), LEAST_WINDOW);
        boolean sent = !TcpHalf.after(quoted.tcpSeq(), newest) && !TcpHalf.after(oldest, quoted.tcpSeq());
        if (!sent) reason = DropReason.ICMP_ERROR_OUT_OF_WINDOW;
    }
}
