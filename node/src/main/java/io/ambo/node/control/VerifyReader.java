package io.ambo.node.control;

import com.google.protobuf.ByteString;
import io.ambo.cluster.session.Digest;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.SessionTable;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.VerifyDigest;
import io.ambo.proto.control.VerifyLookup;
import io.ambo.proto.control.VerifyLookupRequest;
import io.ambo.proto.control.VerifyPosition;
import io.ambo.proto.control.VerifyRecords;
import io.ambo.proto.control.VerifyRecordsRequest;
import io.ambo.proto.control.VerifyRepair;
import io.ambo.proto.control.VerifyRepairRequest;
import java.nio.ByteBuffer;
import java.util.BitSet;

/** This node's part in comparing tables, as {@code ambo verify} asks for it: each call a bounded piece of work. One call, one thread. */
final class VerifyReader {
    /** Sessions of one lookup. */
    static final int LOOKUP_MAX = 500;
    private static final int RECORD = SessionKey.SIZE + Long.BYTES;
    /** With one slice more an answer still fits into a message between nodes (256 KiB). */
    private static final int ENOUGH_BYTES = 160 * 1024;
    private static final int MOST_BYTES = 255 * 1024;

    private final ControlTarget target;
    private final SessionTable table;

    VerifyReader(ControlTarget target) {
        this.target = target;
        table = target.sessions();
    }

    VerifyDigest digest() {
        Digest digest = Digest.of(table);
        VerifyDigest.Builder answer = VerifyDigest.newBuilder().setGate(target.status().getGate());
        for (int bucket = 0; bucket < SessionTable.BUCKETS; bucket++) answer.addSums(digest.sum(bucket)).addCounts(digest.count(bucket));
        return answer.build();
    }

    VerifyRecords records(VerifyRecordsRequest request) throws BadRequestException {
        BitSet buckets = buckets(request.getBuckets());
        int slice = request.getPositionsList().stream().filter(position -> position.getNode().equals(target.nodeName()))
                .mapToInt(VerifyPosition::getSlice).findFirst().orElse(0);
        ByteBuffer records = ByteBuffer.allocate(MOST_BYTES / RECORD * RECORD);
        while (slice >= 0 && slice < table.slices() && records.position() < ENOUGH_BYTES) {
            table.sweep(slice++, (key, session) -> {
                long hash = key.hash();
                // A slice that does not fit is one that somebody has filled on purpose; its rest counts as different and is looked up.
                if (session.has(SessionRecord.CLOSED) || !buckets.get(SessionTable.bucket(hash)) || !records.hasRemaining()) return false;
                records.put(key.segment().asSlice(key.offset(), SessionKey.SIZE).asByteBuffer()).putLong(Digest.hash(hash, session));
                return false;
            });
        }
        return VerifyRecords.newBuilder().setRecords(ByteString.copyFrom(records.flip())).setSlice(slice)
                .setComplete(slice < 0 || slice >= table.slices()).build();
    }

    VerifyLookup lookup(VerifyLookupRequest request) throws BadRequestException {
        if (request.getEndsCount() > LOOKUP_MAX)
            throw new BadRequestException("a lookup of " + request.getEndsCount() + " sessions: at most " + LOOKUP_MAX);
        SessionReader reader = new SessionReader(target);
        VerifyLookup.Builder lookup = VerifyLookup.newBuilder();
        for (SessionEnds ends : request.getEndsList()) lookup.addSessions(reader.show(ends));
        return lookup.build();
    }

    VerifyRepair repair(VerifyRepairRequest request) throws BadRequestException {
        target.resend(buckets(request.getBuckets()));
        return VerifyRepair.getDefaultInstance();
    }

    private static BitSet buckets(ByteString bits) throws BadRequestException {
        if (bits.size() > SessionTable.BUCKETS / Byte.SIZE) throw new BadRequestException("more buckets than a table has");
        return BitSet.valueOf(bits.toByteArray());
    }
}
