package io.ambo.cluster.replication;

import com.google.protobuf.WireFormat;

/** Numbers of sync.proto that the hand-written codec shares. A test holds them against the generated classes. */
final class SyncWire {
    /** The only version there is. */
    static final int PROTOCOL = 1;

    static final int VARINT = WireFormat.WIRETYPE_VARINT;
    static final int FIXED64 = WireFormat.WIRETYPE_FIXED64;
    static final int BYTES = WireFormat.WIRETYPE_LENGTH_DELIMITED;
    static final int FIXED32 = WireFormat.WIRETYPE_FIXED32;

    /** Fields of SyncMessage. */
    static final int MESSAGE_PROTOCOL = 1, MESSAGE_BATCH = 2, MESSAGE_ACK = 3, MESSAGE_COMPARE = 4, MESSAGE_COMPARE_ANSWER = 5,
            MESSAGE_CHUNK = 6,
            MESSAGE_CHUNK_ACK = 7, MESSAGE_ASK = 8, MESSAGE_ANSWER = 9;

    /** Fields of DeltaBatch. */
    static final int BATCH_SENDER = 1, BATCH_RUN = 2, BATCH_NUMBER = 3, BATCH_ACKNOWLEDGE = 4;

    /** Fields of RecordChunk. */
    static final int CHUNK_COMPARISON = 1, CHUNK_ROUND = 2, CHUNK_NUMBER = 3, CHUNK_LAST = 4;

    static final int CHUNK_RECORDS = 42;

    /** The deltas, in DeltaBatch and in RecordChunk. */
    static final int DELTAS = 15;

    /** Fields of Delta. */
    static final int LOW_ADDRESS = 1, HIGH_ADDRESS = 2, LOW_PORT = 3, HIGH_PORT = 4, IP_PROTOCOL = 5, ROUTING_ZONE = 6, CREATED = 7,
            EPOCH = 8,
            CREATOR = 9, OWNER = 10, FLAGS = 11, FROM_ZONE = 12, TO_ZONE = 13, RULE = 14, TIMEOUT_MS = 15, IDLE_MS = 16, ORIGINAL = 17,
            REPLY = 18,
            TRANSLATION = 19, ORIGINAL_PACKETS = 20, REPLY_PACKETS = 21, ORIGINAL_BYTES = 22, REPLY_BYTES = 23, OWNER_TERM = 43;

    /** Fields of Half. */
    static final int SEQ_END = 1, MAX_END = 2, ACK = 3, MAX_WINDOW = 4, STATE = 5, SCALE = 6;

    /** Fields of Translation. */
    static final int SOURCE = 1, DESTINATION = 2, SOURCE_PORT = 3, DESTINATION_PORT = 4;

    private SyncWire() {}

    static int tag(int field, int type) { return field << 3 | type; }
}
