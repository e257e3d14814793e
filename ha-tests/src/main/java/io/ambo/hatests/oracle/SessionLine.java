package io.ambo.hatests.oracle;

import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;

/** A session in one line, for the history of a difference. */
final class SessionLine {
    private static final String[] STATES = { "none", "syn", "established", "fin", "closed" };

    private SessionLine() {}

    static String of(SessionKey key, SessionRecord session) {
        StringBuilder line = new StringBuilder();
        line.append("epoch ").append(session.epoch()).append(session.has(SessionRecord.CLOSED) ? " over" : "");
        line.append(", original ").append(half(key, session.original())).append(", reply ").append(half(key, session.reply()));
        line.append(", packets ").append(session.packets(false)).append('/').append(session.packets(true));
        if (session.has(SessionRecord.TRANSLATED)) {
            line.append(", translated to ")
                    .append(new IpAddress(session.translatedHigh(false), session.translatedLow(false))
                            .withPort(session.translatedPort(false)))
                    .append(" > ")
                    .append(new IpAddress(session.translatedHigh(true), session.translatedLow(true))
                            .withPort(session.translatedPort(true)));
        }
        if (session.has(SessionRecord.SHARED)) line.append(", shared");
        if (session.isSeenWhole()) line.append(", seen whole");
        return line.toString();
    }

    private static String half(SessionKey key, TcpHalf half) {
        String state = STATES[half.state()];
        if (key.protocol() != 6) return state;
        StringBuilder text = new StringBuilder(state);
        if (half.has(TcpHalf.SEQ_KNOWN)) text.append(" end ").append(Integer.toUnsignedString(half.seqEnd()));
        if (half.has(TcpHalf.LIMIT_KNOWN)) text.append(" limit ").append(Integer.toUnsignedString(half.maxEnd()));
        if (half.has(TcpHalf.ACK_KNOWN)) text.append(" ack ").append(Integer.toUnsignedString(half.ack()));
        return text.append(" window ").append(half.maxWindow()).toString();
    }
}
