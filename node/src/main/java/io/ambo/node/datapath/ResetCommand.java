package io.ambo.node.datapath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;

/**
 * A session that timed out and whose ends are to be told ({@code on-timeout: reset}): a copy, handed from the keeper to a worker. Each end hears from the one
 * that it knows: translated or not.
 */
record ResetCommand(Reset toReply, Reset toOriginal) {
    /** Address as two longs, and port. */
    record End(long high, long low, int port) {}

    /**
     * One RST.
     *
     * @param seq what the receiver expects next
     * @param ack what the other end would expect next
     */
    record Reset(End from, End to, int seq, int ack) {}

    static ResetCommand of(SessionKey key, SessionRecord session) {
        boolean originalIsHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        End client = new End(key.addressHigh(originalIsHigh), key.addressLow(originalIsHigh), key.port(originalIsHigh));
        End service = new End(key.addressHigh(!originalIsHigh), key.addressLow(!originalIsHigh), key.port(!originalIsHigh));
        boolean translated = session.has(SessionRecord.TRANSLATED);
        End clientOutside = translated ? translated(session, false) : client;
        End server = translated ? translated(session, true) : service;
        int originalSeq = next(session.original(), session.reply());
        int replySeq = next(session.reply(), session.original());
        return new ResetCommand(new Reset(clientOutside, server, originalSeq, replySeq), new Reset(service, client, replySeq, originalSeq));
    }

    private static End translated(SessionRecord session, boolean ofDestination) {
        return new End(session.translatedHigh(ofDestination), session.translatedLow(ofDestination), session.translatedPort(ofDestination));
    }

    /**
     * What the receiver expects next: an RST at any other place is not believed (RFC 5961, 3.2). The two halves say the same of a silent connection, but each
     * is known first where its flow passes, and on the asymmetric path that is not this node for one of them: the later one counts.
     */
    private static int next(TcpHalf sender, TcpHalf receiver) {
        if (!receiver.has(TcpHalf.ACK_KNOWN)) return sender.seqEnd();
        if (!sender.has(TcpHalf.SEQ_KNOWN)) return receiver.ack();
        return TcpHalf.after(sender.seqEnd(), receiver.ack()) ? sender.seqEnd() : receiver.ack();
    }
}
