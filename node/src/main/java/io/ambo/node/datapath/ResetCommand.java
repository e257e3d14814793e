package io.ambo.node.datapath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;

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
        int originalSeq = session.reply().has(io.ambo.cluster.session.TcpHalf.ACK_KNOWN)
                ? session.reply().ack()
                : session.original().seqEnd();
        int replySeq = session.original().has(io.ambo.cluster.session.TcpHalf.ACK_KNOWN)
                ? session.original().ack()
                : session.reply().seqEnd();
        return new ResetCommand(
                new End(key.addressHigh(originalIsHigh), key.addressLow(originalIsHigh), key.port(originalIsHigh), originalSeq, replySeq),
                new End(key.addressHigh(!originalIsHigh), key.addressLow(!originalIsHigh), key.port(!originalIsHigh), replySeq,
                        originalSeq));
    }
}
