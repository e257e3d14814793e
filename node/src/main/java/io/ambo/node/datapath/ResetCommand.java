package io.ambo.node.datapath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;

/**
 * A session that timed out and whose ends are to be told ({@code on-timeout: reset}): a copy, handed from the keeper to a worker.
 *
 * @param original the original flow's source, as two longs and a port
 */
record ResetCommand(End original, End reply) {

    /**
     * One end of the session.
     *
     * @param seq what the other end expects next from this one
     * @param ack what this end expects next
     */
    record End(long high, long low, int port, int seq, int ack) {}

    static ResetCommand of(SessionKey key, SessionRecord session) {
        boolean originalIsHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        int originalSeq = next(session.original(), session.reply());
        int replySeq = next(session.reply(), session.original());
        return new ResetCommand(
                new End(key.addressHigh(originalIsHigh), key.addressLow(originalIsHigh), key.port(originalIsHigh), originalSeq, replySeq),
                new End(key.addressHigh(!originalIsHigh), key.addressLow(!originalIsHigh), key.port(!originalIsHigh), replySeq,
                        originalSeq));
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
