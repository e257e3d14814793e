package io.ambo.node.control;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.CodedOutputStream;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionCount;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.SessionLookup;
import io.ambo.proto.control.SessionLookupRequest;
import io.ambo.proto.control.SessionPage;
import io.ambo.proto.control.SessionShow;
import io.ambo.proto.control.SessionState;
import io.ambo.proto.control.Traffic;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads this node's session table for the control API, a slice at a time: a record is compared and copied under its lock, everything else happens after.
 * One call, one thread.
 */
final class SessionReader {
    /** Sessions of a page when the asker does not say, and at most (a page is cut between slices, so it may have some more). */
    static final int PAGE_SESSIONS = 500;
    /** A page ends here, even when hardly anything matched, so that one request stays a bounded piece of work. */
    static final int PAGE_ENTRIES_SCANNED = 200_000;
    /** Keys of one lookup. */
    static final int LOOKUP_MAX = 4 * PAGE_SESSIONS;
    private static final int COPY_SIZE = SessionKey.SIZE + SessionRecord.SIZE;

    private final ControlTarget target;
    private final SessionTable table;

    SessionReader(ControlTarget target) {
        this.target = target;
        table = target.sessions();
    }

    SessionPage page(SessionListRequest request) throws BadRequestException {
        SessionMatch match = new SessionMatch(request.getFilter(), target);
        int slice = slice(request.getPageToken());
        int wanted = request.getLimit() == 0
                ? PAGE_SESSIONS
                : Math.min(Integer.toUnsignedLong(request.getLimit()) > PAGE_SESSIONS ? PAGE_SESSIONS : request.getLimit(), PAGE_SESSIONS);
        SessionPage.Builder page = SessionPage.newBuilder();
        long scanned = 0;
        long nowMs = target.monotonicMs();
        List<MemorySegment> copies = new ArrayList<>();
        while (slice < table.slices() && page.getSessionsCount() < wanted && scanned < PAGE_ENTRIES_SCANNED) {
            copies.clear();
            scanned += table.sweep(slice++, (key, session) -> {
                if (match.matches(key, session)) copies.add(copy(key, session));
                return false;
            });
            for (MemorySegment copy : copies)
                page.addSessions(session(new SessionKey(copy, 0), new SessionRecord(copy, SessionKey.SIZE), nowMs));
        }
        if (slice < table.slices()) page.setNextPageToken(token(slice));
        return page.setScanned(scanned).build();
    }

    SessionShow show(SessionEnds ends) throws BadRequestException {
        SessionKey key = key(ends);
        SessionRecord session = new SessionRecord();
        SessionShow.Builder show = SessionShow.newBuilder();
        if (table.read(key, session)) show.setSession(session(key, session, target.monotonicMs()));
        show.setRedirectedTo(target.redirectedTo(key));
        return show.build();
    }

    SessionLookup lookup(SessionLookupRequest request) throws BadRequestException {
        if (request.getEndsCount() > LOOKUP_MAX)
            throw new BadRequestException("a lookup of " + request.getEndsCount() + " sessions: at most " + LOOKUP_MAX);
        SessionMatch match = new SessionMatch(request.getFilter(), target);
        SessionRecord session = new SessionRecord();
        SessionLookup.Builder lookup = SessionLookup.newBuilder();
        for (SessionEnds ends : request.getEndsList()) {
            SessionKey key = key(ends);
            boolean present = table.read(key, session);
            if (present && match.matches(key, session)) lookup.addFound(SessionLookup.Found.MATCHING);
            else
                lookup.addFound(present && !session.has(SessionRecord.CLOSED) ? SessionLookup.Found.PRESENT : SessionLookup.Found.ABSENT);
        }
        return lookup.build();
    }

    SessionCount count(SessionFilter filter) throws BadRequestException {
        SessionMatch match = new SessionMatch(filter, target);
        Tally tally = new Tally();
        for (int slice = 0; slice < table.slices(); slice++) {
            table.sweep(slice, (key, session) -> {
                if (match.matches(key, session)) tally.add(key.protocol(), SessionMatch.state(key, session));
                return false;
            });
        }
        return tally.build(table);
    }

    /** Counts while a sweep runs. */
    private static final class Tally {
        private final long[] byProtocol = new long[256];
        private final long[] byState = new long[SessionState.values().length];
        private long matching;

        void add(int protocol, SessionState state) {
            matching++;
            byProtocol[protocol]++;
            byState[state.getNumber()]++;
        }

        SessionCount build(SessionTable table) {
            return SessionCount.newBuilder().setMatching(matching).setEntries(table.size()).setCapacity(table.capacity())
                    .setTcp(byProtocol[6])
                    .setUdp(byProtocol[17]).setIcmp(byProtocol[1] + byProtocol[58]).setOpening(byState[SessionState.OPENING.getNumber()])
                    .setEstablished(byState[SessionState.ESTABLISHED.getNumber()]).setClosing(byState[SessionState.CLOSING.getNumber()])
                    .setClosed(byState[SessionState.CLOSED.getNumber()]).build();
        }
    }

    private Session session(SessionKey key, SessionRecord session, long nowMs) {
        boolean fromHigh = session.has(SessionRecord.ORIGINAL_FROM_HIGH);
        Session.Builder builder = Session.newBuilder();
        builder.setEnds(
                SessionEnds.newBuilder().setProtocol(key.protocol()).setSource(address(key, fromHigh)).setSourcePort(key.port(fromHigh))
                        .setDestination(address(key, !fromHigh)).setDestinationPort(key.port(!fromHigh)).setRoutingZone(key.routingZone()));
        builder.setState(SessionMatch.state(key, session)).setOriginal(half(session.original())).setReply(half(session.reply()));
        builder.setRule(target.ruleName(session.rule())).setFromZone(target.zoneName(session.fromZone()))
                .setToZone(target.zoneName(session.toZone()));
        builder.setOwner(target.memberName(session.owner())).setCreator(target.memberName(session.creator()))
                .setBackup(target.backup(key, session));
        builder.setCreated(session.created()).setEpoch(session.epoch());
        builder.setMidStream(session.has(SessionRecord.MID_STREAM)).setResetOnTimeout(session.has(SessionRecord.RESET_ON_TIMEOUT));
        builder.setTimeoutMs(session.timeoutMs()).setIdleMs(Math.max(0, nowMs - session.lastSeenMs()))
                .setExpiresInMs(session.expiresInMs(nowMs));
        builder.setOriginalSeenHere(session.hasLocal(SessionRecord.ORIGINAL_SEEN_HERE));
        builder.setReplySeenHere(session.hasLocal(SessionRecord.REPLY_SEEN_HERE));
        builder.setFastPath(target.fastPath(key, session));
        builder.setOriginalTraffic(traffic(session, false)).setReplyTraffic(traffic(session, true));
        if (session.has(SessionRecord.TRANSLATED)) builder.setTranslated(translated(session.translation().asByteBuffer(), key.protocol()));
        return builder.build();
    }

    private static SessionEnds translated(ByteBuffer ends, int protocol) {
        byte[] source = new byte[16];
        byte[] destination = new byte[16];
        ends.get(source).get(destination);
        return SessionEnds.newBuilder().setProtocol(protocol).setSource(shortest(source)).setDestination(shortest(destination))
                .setSourcePort(Short.toUnsignedInt(ends.getShort())).setDestinationPort(Short.toUnsignedInt(ends.getShort())).build();
    }

    private static ByteString shortest(byte[] address) {
        IpAddress parsed = IpAddress.ofBytes(address);
        return ByteString.copyFrom(parsed == null ? address : parsed.toBytes());
    }

    private static Half half(TcpHalf half) {
        Half.Builder builder = Half.newBuilder().setStateValue(half.state()).setMaxWindow(half.maxWindow());
        if (half.has(TcpHalf.SEQ_KNOWN)) builder.setSeqEnd(half.seqEnd());
        if (half.has(TcpHalf.LIMIT_KNOWN)) builder.setMaxEnd(half.maxEnd());
        if (half.has(TcpHalf.ACK_KNOWN)) builder.setAck(half.ack());
        if (half.has(TcpHalf.SCALE_KNOWN)) builder.setScale(half.scale());
        return builder.build();
    }

    private static Traffic traffic(SessionRecord session, boolean ofReply) {
        return Traffic.newBuilder().setPackets(session.packets(ofReply)).setBytes(session.bytes(ofReply)).build();
    }

    private static ByteString address(SessionKey key, boolean highEnd) {
        return ByteString.copyFrom(new IpAddress(key.addressHigh(highEnd), key.addressLow(highEnd)).toBytes());
    }

    static SessionKey key(SessionEnds ends) throws BadRequestException {
        IpAddress source = IpAddress.ofBytes(ends.getSource().toByteArray());
        IpAddress destination = IpAddress.ofBytes(ends.getDestination().toByteArray());
        if (source == null || destination == null) throw new BadRequestException("an address has neither 4 nor 16 bytes");
        if (ends.getSourcePort() >>> 16 != 0 || ends.getDestinationPort() >>> 16 != 0)
            throw new BadRequestException("a port is larger than 65535");
        SessionKey key = new SessionKey();
        key.set(source.high(), source.low(), ends.getSourcePort(), destination.high(), destination.low(), ends.getDestinationPort(),
                ends.getProtocol() & 0xFF,
                ends.getRoutingZone() & 0xFFFF);
        return key;
    }

    private static MemorySegment copy(SessionKey key, SessionRecord session) {
        MemorySegment copy = MemorySegment.ofArray(new byte[COPY_SIZE]);
        MemorySegment.copy(key.segment(), key.offset(), copy, 0, SessionKey.SIZE);
        MemorySegment.copy(session.segment(), session.offset(), copy, SessionKey.SIZE, SessionRecord.SIZE);
        return copy;
    }

    private static ByteString token(int slice) {
        byte[] bytes = new byte[CodedOutputStream.computeUInt32SizeNoTag(slice)];
        CodedOutputStream out = CodedOutputStream.newInstance(bytes);
        try {
            out.writeUInt32NoTag(slice);
        } catch (IOException e) {
            throw new IllegalStateException("an array has no I/O", e);
        }
        return ByteString.copyFrom(bytes);
    }

    private static int slice(ByteString token) throws BadRequestException {
        if (token.isEmpty()) return 0;
        try {
            CodedInputStream in = token.newCodedInput();
            int slice = in.readUInt32();
            if (slice < 0 || !in.isAtEnd()) throw new BadRequestException("not a page token");
            return slice;
        } catch (IOException e) {
            throw new BadRequestException("not a page token");
        }
    }
}
