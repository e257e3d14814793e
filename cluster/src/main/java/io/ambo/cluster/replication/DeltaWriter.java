package io.ambo.cluster.replication;

import static io.ambo.cluster.replication.SyncWire.tag;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import com.google.protobuf.CodedOutputStream;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * Writes messages full of deltas in the wire format of sync.proto, without message objects: first the deltas, one after the other, then the head in front
 * of them. One thread. Lengths of deltas always take two bytes (a varint may be padded), so that nothing has to be measured before it is written.
 *
 * <pre>
 *   writer.clear(); writer.add(key, record, nowMs); ... ; writer.finishBatch(...); transport.sendToAll(writer.bytes(), writer.offset(), writer.length());
 * </pre>
 */
public final class DeltaWriter {
    /** Bytes of the longest delta, its tag and length included; a test fills every field. */
    static final int LONGEST_DELTA = 320;
    /** Room for the head in front of the deltas. */
    private static final int HEAD = 64;
    private static final byte[] MAPPED = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, (byte) 0xFF, (byte) 0xFF };

    private final byte[] bytes;
    private final int limit;
    private final byte[] address = new byte[16];
    private final SessionRecord raw = new SessionRecord();
    private final byte[] rawBytes = new byte[DeltaReader.RECORD_SIZE];
    private CodedOutputStream out;
    private int offset = HEAD;
    private int count;

    /** @param deltaBytes room for deltas */
    public DeltaWriter(int deltaBytes) {
        bytes = new byte[HEAD + deltaBytes + LONGEST_DELTA];
        limit = HEAD + deltaBytes;
        out = CodedOutputStream.newInstance(bytes, HEAD, bytes.length - HEAD);
    }

    public void clear() {
        out = CodedOutputStream.newInstance(bytes, HEAD, bytes.length - HEAD);
        offset = HEAD;
        count = 0;
    }

    public int count() { return count; }

    public boolean full() { return HEAD + out.getTotalBytesWritten() >= limit; }

    public byte[] bytes() { return bytes; }

    /** Where the finished message begins. */
    public int offset() { return offset; }

    /** Of the finished message. */
    public int length() { return HEAD + out.getTotalBytesWritten() - offset; }

    /** Adds a session as of now. Call it only while the writer is not {@link #full}. */
    public void add(SessionKey key, SessionRecord session, long nowMs) {
        try {
            out.writeUInt32NoTag(tag(SyncWire.DELTAS, SyncWire.BYTES));
            int lengthAt = reserve(2);
            writeDelta(key, session, nowMs);
            int length = HEAD + out.getTotalBytesWritten() - lengthAt - 2;
            bytes[lengthAt] = (byte) (length & 0x7F | 0x80);
            bytes[lengthAt + 1] = (byte) (length >>> 7);
            count++;
        } catch (IOException e) {
            throw new UncheckedIOException("a delta is longer than LONGEST_DELTA", e);
        }
    }

    /** Adds a session as of now, for a receiver with the same {@link DeltaReader#RECORD_LAYOUT}. Only for chunks, and while the writer is not {@link #full}. */
    public void addRecord(SessionKey key, SessionRecord session, long nowMs) {
        raw.copyFrom(session).localFlags(0).lastSeenMs(Math.clamp(nowMs - session.lastSeenMs(), 0, Integer.MAX_VALUE));
        MemorySegment.copy(key.segment(), JAVA_BYTE, key.offset(), rawBytes, 0, SessionKey.SIZE);
        MemorySegment.copy(raw.segment(), JAVA_BYTE, raw.offset(), rawBytes, SessionKey.SIZE, SessionRecord.SIZE);
        try {
            writeBytes(SyncWire.CHUNK_RECORDS, rawBytes, 0, rawBytes.length);
            count++;
        } catch (IOException e) {
            throw new UncheckedIOException("a record is longer than LONGEST_DELTA", e);
        }
    }

    /** Makes the deltas a DeltaBatch. */
    public void finishBatch(int sender, long run, long number, boolean acknowledge) {
        try {
            byte[] head = new byte[HEAD];
            CodedOutputStream fields = CodedOutputStream.newInstance(head);
            fields.writeUInt32(SyncWire.BATCH_SENDER, sender);
            fields.writeFixed64(SyncWire.BATCH_RUN, run);
            fields.writeUInt64(SyncWire.BATCH_NUMBER, number);
            if (acknowledge) fields.writeBool(SyncWire.BATCH_ACKNOWLEDGE, true);
            finish(SyncWire.MESSAGE_BATCH, head, fields.getTotalBytesWritten());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Makes the deltas a RecordChunk. */
    public void finishChunk(long comparison, int round, long number, boolean last) {
        try {
            byte[] head = new byte[HEAD];
            CodedOutputStream fields = CodedOutputStream.newInstance(head);
            fields.writeFixed64(SyncWire.CHUNK_COMPARISON, comparison);
            fields.writeUInt32(SyncWire.CHUNK_ROUND, round);
            fields.writeUInt64(SyncWire.CHUNK_NUMBER, number);
            if (last) fields.writeBool(SyncWire.CHUNK_LAST, true);
            finish(SyncWire.MESSAGE_CHUNK, head, fields.getTotalBytesWritten());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void finish(int field, byte[] head, int headLength) throws IOException {
        byte[] front = new byte[HEAD];
        CodedOutputStream prefix = CodedOutputStream.newInstance(front);
        prefix.writeUInt32(SyncWire.MESSAGE_PROTOCOL, SyncWire.PROTOCOL);
        prefix.writeUInt32NoTag(tag(field, SyncWire.BYTES));
        prefix.writeUInt32NoTag(headLength + out.getTotalBytesWritten());
        int prefixLength = prefix.getTotalBytesWritten();
        System.arraycopy(head, 0, bytes, HEAD - headLength, headLength);
        offset = HEAD - headLength - prefixLength;
        System.arraycopy(front, 0, bytes, offset, prefixLength);
    }

    private void writeDelta(SessionKey key, SessionRecord session, long nowMs) throws IOException {
        writeAddress(SyncWire.LOW_ADDRESS, key.addressHigh(false), key.addressLow(false));
        writeAddress(SyncWire.HIGH_ADDRESS, key.addressHigh(true), key.addressLow(true));
        writeNumber(SyncWire.LOW_PORT, key.port(false));
        writeNumber(SyncWire.HIGH_PORT, key.port(true));
        writeNumber(SyncWire.IP_PROTOCOL, key.protocol());
        writeNumber(SyncWire.ROUTING_ZONE, key.routingZone());
        out.writeFixed64(SyncWire.CREATED, session.created());
        writeNumber(SyncWire.EPOCH, session.epoch());
        writeNumber(SyncWire.CREATOR, session.creator());
        writeNumber(SyncWire.OWNER, session.owner());
        writeNumber(SyncWire.FLAGS, session.flags());
        writeNumber(SyncWire.FROM_ZONE, session.fromZone());
        writeNumber(SyncWire.TO_ZONE, session.toZone());
        if (session.rule() != 0) out.writeFixed32(SyncWire.RULE, session.rule());
        writeNumber(SyncWire.TIMEOUT_MS, session.timeoutMs());
        writeNumber(SyncWire.IDLE_MS, Math.clamp(nowMs - session.lastSeenMs(), 0, Integer.MAX_VALUE));
        writeHalf(SyncWire.ORIGINAL, session.original());
        writeHalf(SyncWire.REPLY, session.reply());
        if (session.has(SessionRecord.TRANSLATED)) writeTranslation(session.translation());
        writeCount(SyncWire.ORIGINAL_PACKETS, session.packets(false));
        writeCount(SyncWire.REPLY_PACKETS, session.packets(true));
        writeCount(SyncWire.ORIGINAL_BYTES, session.bytes(false));
        writeCount(SyncWire.REPLY_BYTES, session.bytes(true));
        writeNumber(SyncWire.OWNER_TERM, session.ownerTerm());
    }

    /** Zero is what an absent number means. */
    private void writeNumber(int field, int value) throws IOException {
        if (value != 0) out.writeUInt32(field, value);
    }

    private void writeCount(int field, long value) throws IOException { if (value != 0) out.writeUInt64(field, value); }

    private void writeHalf(int field, TcpHalf half) throws IOException {
        if (half.state() == TcpHalf.NONE && half.flags() == 0 && half.maxWindow() == 0) return;
        out.writeUInt32NoTag(tag(field, SyncWire.BYTES));
        int lengthAt = reserve(1);
        if (half.has(TcpHalf.SEQ_KNOWN)) out.writeFixed32(SyncWire.SEQ_END, half.seqEnd());
        if (half.has(TcpHalf.LIMIT_KNOWN)) out.writeFixed32(SyncWire.MAX_END, half.maxEnd());
        if (half.has(TcpHalf.ACK_KNOWN)) out.writeFixed32(SyncWire.ACK, half.ack());
        writeNumber(SyncWire.MAX_WINDOW, half.maxWindow());
        writeNumber(SyncWire.STATE, half.state());
        if (half.has(TcpHalf.SCALE_KNOWN)) out.writeUInt32(SyncWire.SCALE, half.scale());
        patchLength(lengthAt);
    }

    private void writeTranslation(MemorySegment ends) throws IOException {
        out.writeUInt32NoTag(tag(SyncWire.TRANSLATION, SyncWire.BYTES));
        int lengthAt = reserve(1);
        writeAddress(SyncWire.SOURCE, ends, 0);
        writeAddress(SyncWire.DESTINATION, ends, 16);
        writeNumber(SyncWire.SOURCE_PORT, port(ends, 32));
        writeNumber(SyncWire.DESTINATION_PORT, port(ends, 34));
        patchLength(lengthAt);
    }

    private void writeAddress(int field, long high, long low) throws IOException {
        for (int i = 0; i < 8; i++) {
            address[i] = (byte) (high >>> (56 - 8 * i));
            address[8 + i] = (byte) (low >>> (56 - 8 * i));
        }
        writeAddress(field);
    }

    private void writeAddress(int field, MemorySegment from, int at) throws IOException {
        MemorySegment.copy(from, JAVA_BYTE, at, address, 0, 16);
        writeAddress(field);
    }

    private void writeAddress(int field) throws IOException {
        boolean mapped = Arrays.equals(address, 0, MAPPED.length, MAPPED, 0, MAPPED.length);
        int from = mapped ? MAPPED.length : 0;
        writeBytes(field, address, from, 16 - from);
    }

    private void writeBytes(int field, byte[] from, int at, int length) throws IOException {
        out.writeUInt32NoTag(tag(field, SyncWire.BYTES));
        out.writeUInt32NoTag(length);
        out.writeRawBytes(from, at, length);
    }

    private static int port(MemorySegment ends, int at) {
        return Byte.toUnsignedInt(ends.get(JAVA_BYTE, at)) << 8 | Byte.toUnsignedInt(ends.get(JAVA_BYTE, at + 1));
    }

    /** Leaves room for a length. @return where */
    private int reserve(int count) throws IOException {
        int at = HEAD + out.getTotalBytesWritten();
        for (int i = 0; i < count; i++) out.writeRawByte((byte) 0);
        return at;
    }

    private void patchLength(int lengthAt) { bytes[lengthAt] = (byte) (HEAD + out.getTotalBytesWritten() - lengthAt - 1); }
}
