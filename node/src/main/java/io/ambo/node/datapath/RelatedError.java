package io.ambo.node.datapath;

import static io.ambo.node.packet.DropReason.NONE;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.node.packet.DropReason;
import io.ambo.node.packet.Ends;
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
    private final Redirection redirection;
    private final PacketView quoted = new PacketView();
    private final Ends ends = new Ends();
    private final Ends quotedEnds = new Ends();
    private final SessionKey wire = new SessionKey();
    private final SessionRecord known = new SessionRecord();
    private boolean sourceIsHigh;
    private DropReason reason = NONE;
    private int elsewhere;

    RelatedError(PacketView error, FastPath fastPath, Redirection redirection) {
        this.redirection = redirection;
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
        elsewhere = 0;
        sourceIsHigh = quoted.writeKey(key, 0);
        ends.of(error);
        quotedEnds.of(quoted);
        if (sessions.claims() > 0 && !find(sessions, key)) return DropReason.ICMP_ERROR_WITHOUT_SESSION;
        return sessions.update(key, this) ? reason : DropReason.ICMP_ERROR_WITHOUT_SESSION;
    }

    /** The member that has the session, when that is another; else 0. */
    int elsewhere() { return elsewhere; }

    /** The error's ends when it leaves. */
    Ends ends() { return ends; }

    /** Gives the packet that the error quotes the ends it had when its sender sent it. The error's own are the caller's to write. */
    void translate() {
        quotedEnds.writeToQuoted(error, quoted);
    }

    /** @return false when the session, by its translation, cannot have sent such a packet */
    private boolean find(SessionTable sessions, SessionKey key) {
        wire.copyFrom(key);
        SessionTable.Found found = sessions.find(wire, key, known);
        if (found == SessionTable.Found.NOT) return false;
        if (!known.has(SessionRecord.TRANSLATED)) return true;
        boolean originalIsHigh = known.has(SessionRecord.ORIGINAL_FROM_HIGH);
        boolean ofOriginal = found == SessionTable.Found.BY_TRANSLATED_ENDS;
        if (ofOriginal) {
            // Beyond this node a packet of the original flow met its end: back to the client, who knows neither its own translated end nor the server's.
            if (!isFrom(known.translatedHigh(false), known.translatedLow(false), known.translatedPort(false))) return false;
            sourceIsHigh = originalIsHigh;
            quotedEnds.source(key.addressHigh(originalIsHigh), key.addressLow(originalIsHigh), key.port(originalIsHigh))
                    .destination(key.addressHigh(!originalIsHigh), key.addressLow(!originalIsHigh), key.port(!originalIsHigh));
        } else {
            // A packet of the reply flow did, between this node and the client.
            if (sourceIsHigh == originalIsHigh) return false;
            quotedEnds.source(known.translatedHigh(true), known.translatedLow(true), known.translatedPort(true))
                    .destination(known.translatedHigh(false), known.translatedLow(false), known.translatedPort(false));
        }
        ends.destination(quotedEnds.sourceHigh(), quotedEnds.sourceLow(), 0);
        // Who hides behind an address speaks with it in errors too.
        boolean hides = quotedEnds.destinationHigh() != quoted.destinationHigh() || quotedEnds.destinationLow() != quoted.destinationLow();
        if (hides) ends.source(quotedEnds.destinationHigh(), quotedEnds.destinationLow(), 0);
        return true;
    }

    private boolean isFrom(long high, long low, int port) {
        return quoted.sourceHigh() == high && quoted.sourceLow() == low && quoted.sourcePort() == port;
    }

    @Override
    public void onSession(SessionKey key, SessionRecord session) {
        reason = NONE;
        if (session.has(SessionRecord.CLOSED)) {
            reason = DropReason.ICMP_ERROR_WITHOUT_SESSION;
            return;
        }
        if (redirection.isOn() && redirection.owner(key, session) != redirection.local()) {
            elsewhere = redirection.owner(key, session);
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
