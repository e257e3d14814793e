package io.ambo.cluster.replication;

import static io.ambo.cluster.replication.SyncWire.tag;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Reads messages full of deltas. A message is read whole and checked whole into memory of the reader's own before the first delta of it can be seen, so that a
 * bad one changes nothing. One thread at a time. Unknown fields are skipped: a later version may add some.
 */
public final class DeltaReader {
    /** Names how keys and records stand in memory here; a peer that says the same may send them as they are. Another number whenever that changes. */
    public static final int RECORD_LAYOUT = ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? 1 : 0x1_0001;
    static final int RECORD_SIZE = SessionKey.SIZE + SessionRecord.SIZE;
    /** Deltas in one message. */
    public static final int MOST_DELTAS = 1024;
    /** The longest time a session may say it was idle or may be: 24 days fit into it. */
    private static final int LONGEST_MS = Integer.MAX_VALUE;
    private static final int RECORD = SessionKey.SIZE;
    private static final int SLOT = SessionKey.SIZE + (SessionRecord.SIZE + 7) / 8 * 8;

    /** What the message is. */
    public enum Kind {
        BATCH, CHUNK,
        /** Another body: for the generated classes to read. */
        OTHER
    }

    private final MemorySegment slots = Arena.ofAuto().allocate((long) MOST_DELTAS * SLOT, 8);
    private final SessionKey key = new SessionKey(slots, 0);
    private final SessionRecord record = new SessionRecord(slots, RECORD);
    private final byte[] address = new byte[16];

    private int count;
    private int sender;
    private long run;
    private long number;
    private boolean acknowledge;
    private long comparison;
    private int round;
    private boolean last;

    public int count() { return count; }

    public int sender() { return sender; }

    public long run() { return run; }

    /** Of the batch or the chunk. */
    public long number() { return number; }

    public boolean acknowledge() { return acknowledge; }

    public long comparison() { return comparison; }

    public int round() { return round; }

    public boolean last() { return last; }

    /** The key of a delta; the same flyweight each time. */
    public SessionKey key(int index) {
        return key.wrap(slots, (long) index * SLOT);
    }

    /** The record of a delta, its times those of this host; the same flyweight each time. */
    public SessionRecord record(int index) {
        return record.wrap(slots, (long) index * SLOT + RECORD);
    }

    /**
     * Reads a message.
     *
     * @param nowMs this host's monotonic clock, for the times in the records
     * @throws MalformedMessage when it is anything but a whole and sound message
     */
    public Kind read(byte[] bytes, int offset, int length, long nowMs) throws MalformedMessage {
        count = 0;
        try {
            CodedInputStream in = CodedInputStream.newInstance(bytes, offset, length);
            if (in.readTag() != tag(SyncWire.MESSAGE_PROTOCOL, SyncWire.VARINT))
                throw MalformedMessage.because("it does not begin with its version");
            int protocol = in.readUInt32();
            if (protocol != SyncWire.PROTOCOL) throw new MalformedMessage("protocol version " + protocol, true);
            int body = in.readTag();
            if (body == 0) throw MalformedMessage.because("no body");
            if (body != tag(SyncWire.MESSAGE_BATCH, SyncWire.BYTES) && body != tag(SyncWire.MESSAGE_CHUNK, SyncWire.BYTES))
                return Kind.OTHER;
            if (in.readRawVarint32() != length - in.getTotalBytesRead())
                throw MalformedMessage.because("its body is not as long as it says");
            boolean batch = body == tag(SyncWire.MESSAGE_BATCH, SyncWire.BYTES);
            if (batch) readBatch(in, nowMs);
            else
                readChunk(in, MemorySegment.ofArray(bytes).asSlice(offset, length), nowMs);
            return batch ? Kind.BATCH : Kind.CHUNK;
        } catch (MalformedMessage e) {
            count = 0;
            throw e;
        } catch (IOException e) {
            count = 0;
            throw MalformedMessage.because(String.valueOf(e.getMessage()));
        }
    }

    private void readBatch(CodedInputStream in, long nowMs) throws IOException {
        sender = 0;
        run = 0;
        number = 0;
        acknowledge = false;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case SyncWire.BATCH_SENDER << 3 | SyncWire.VARINT -> sender = bounded(in, 1, 0xFFFF, "sender");
                case SyncWire.BATCH_RUN << 3 | SyncWire.FIXED64 -> run = in.readFixed64();
                case SyncWire.BATCH_NUMBER << 3 | SyncWire.VARINT -> number = in.readUInt64();
                case SyncWire.BATCH_ACKNOWLEDGE << 3 | SyncWire.VARINT -> acknowledge = in.readBool();
                case SyncWire.DELTAS << 3 | SyncWire.BYTES -> readDelta(in, nowMs);
                default -> skip(in, tag);
            }
        }
        if (sender == 0 || number <= 0) throw MalformedMessage.because("a batch without sender or number");
    }

    private void readChunk(CodedInputStream in, MemorySegment message, long nowMs) throws IOException {
        comparison = 0;
        round = 0;
        number = 0;
        last = false;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case SyncWire.CHUNK_COMPARISON << 3 | SyncWire.FIXED64 -> comparison = in.readFixed64();
                case SyncWire.CHUNK_ROUND << 3 | SyncWire.VARINT -> round = bounded(in, 0, 1_000_000, "round");
                case SyncWire.CHUNK_NUMBER << 3 | SyncWire.VARINT -> number = in.readUInt64();
                case SyncWire.CHUNK_LAST << 3 | SyncWire.VARINT -> last = in.readBool();
                case SyncWire.DELTAS << 3 | SyncWire.BYTES -> readDelta(in, nowMs);
                case SyncWire.CHUNK_RECORDS << 3 | SyncWire.BYTES -> readRecord(in, message, nowMs);
                default -> skip(in, tag);
            }
        }
        if (number <= 0) throw MalformedMessage.because("a chunk without a number");
    }

    /** Copies more than it looks at: of a million sessions that come at once to a process that has just started, each field read by itself would take seconds. */
    private void readRecord(CodedInputStream in, MemorySegment message, long nowMs) throws IOException {
        if (count == MOST_DELTAS) throw MalformedMessage.because("more than " + MOST_DELTAS + " records");
        int length = in.readRawVarint32();
        if (length != RECORD_SIZE) throw MalformedMessage.because("a record of " + length + " bytes, not " + RECORD_SIZE);
        int at = in.getTotalBytesRead();
        in.skipRawBytes(length);
        MemorySegment.copy(message, at, slots, (long) count * SLOT, RECORD_SIZE);
        SessionRecord into = record(count);
        long idleMs = into.lastSeenMs();
        if (!key(count).plausible() || !into.plausible() || into.localFlags() != 0 || into.creator() == 0 || idleMs < 0
                || idleMs > LONGEST_MS)
            throw MalformedMessage.because("a record that cannot be");
        into.lastSeenMs(nowMs - idleMs);
        count++;
    }

    private void readDelta(CodedInputStream in, long nowMs) throws IOException {
        if (count == MOST_DELTAS) throw MalformedMessage.because("more than " + MOST_DELTAS + " deltas");
        int end = in.pushLimit(in.readRawVarint32());
        SessionRecord into = record(count).clear();
        long lowHigh = 0, lowLow = 0, highHigh = 0, highLow = 0;
        int addresses = 0;
        int lowPort = 0, highPort = 0, protocol = 0, zone = 0, fromZone = 0, toZone = 0, epoch = 0, creator = 0;
        long created = 0, originalPackets = 0, replyPackets = 0, originalBytes = 0, replyBytes = 0;
        boolean translated = false;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case SyncWire.LOW_ADDRESS << 3 | SyncWire.BYTES -> {
                    readAddress(in);
                    lowHigh = half(0);
                    lowLow = half(8);
                    addresses |= 1;
                }
                case SyncWire.HIGH_ADDRESS << 3 | SyncWire.BYTES -> {
                    readAddress(in);
                    highHigh = half(0);
                    highLow = half(8);
                    addresses |= 2;
                }
                case SyncWire.LOW_PORT << 3 | SyncWire.VARINT -> lowPort = bounded(in, 0, 0xFFFF, "low port");
                case SyncWire.HIGH_PORT << 3 | SyncWire.VARINT -> highPort = bounded(in, 0, 0xFFFF, "high port");
                case SyncWire.IP_PROTOCOL << 3 | SyncWire.VARINT -> protocol = bounded(in, 0, 0xFF, "protocol");
                case SyncWire.ROUTING_ZONE << 3 | SyncWire.VARINT -> zone = bounded(in, 0, 0xFFFF, "routing zone");
                case SyncWire.CREATED << 3 | SyncWire.FIXED64 -> created = in.readFixed64();
                case SyncWire.EPOCH << 3 | SyncWire.VARINT -> epoch = in.readUInt32();
                case SyncWire.CREATOR << 3 | SyncWire.VARINT -> creator = bounded(in, 1, 0xFFFF, "creator");
                case SyncWire.OWNER << 3 | SyncWire.VARINT -> into.owner(bounded(in, 0, 0xFFFF, "owner"));
                case SyncWire.OWNER_TERM << 3 | SyncWire.VARINT -> into.ownerTerm(bounded(in, 0, 0xFF, "owner term"));
                case SyncWire.FLAGS << 3 | SyncWire.VARINT -> into.addFlags(bounded(in, 0, SessionRecord.ALL_FLAGS, "flags"));
                case SyncWire.FROM_ZONE << 3 | SyncWire.VARINT -> fromZone = bounded(in, 0, 0xFFFF, "from zone");
                case SyncWire.TO_ZONE << 3 | SyncWire.VARINT -> toZone = bounded(in, 0, 0xFFFF, "to zone");
                case SyncWire.RULE << 3 | SyncWire.FIXED32 -> into.rule(in.readFixed32());
                case SyncWire.TIMEOUT_MS << 3 | SyncWire.VARINT -> into.timeoutMs(bounded(in, 0, LONGEST_MS, "timeout"));
                case SyncWire.IDLE_MS << 3 | SyncWire.VARINT -> into.lastSeenMs(nowMs - bounded(in, 0, LONGEST_MS, "idle time"));
                case SyncWire.ORIGINAL << 3 | SyncWire.BYTES -> readHalf(in, into.original());
                case SyncWire.REPLY << 3 | SyncWire.BYTES -> readHalf(in, into.reply());
                case SyncWire.TRANSLATION << 3 | SyncWire.BYTES -> {
                    readTranslation(in, into.translation());
                    translated = true;
                }
                case SyncWire.ORIGINAL_PACKETS << 3 | SyncWire.VARINT -> originalPackets = count(in);
                case SyncWire.REPLY_PACKETS << 3 | SyncWire.VARINT -> replyPackets = count(in);
                case SyncWire.ORIGINAL_BYTES << 3 | SyncWire.VARINT -> originalBytes = count(in);
                case SyncWire.REPLY_BYTES << 3 | SyncWire.VARINT -> replyBytes = count(in);
                default -> skip(in, tag);
            }
        }
        in.popLimit(end);
        if (addresses != 3) throw MalformedMessage.because("a delta without addresses");
        if (creator == 0) throw MalformedMessage.because("a delta without a creator");
        if (translated != into.has(SessionRecord.TRANSLATED))
            throw MalformedMessage.because("flag and fields of the translation contradict each other");
        if (into.lastSeenMs() == 0) into.lastSeenMs(nowMs);
        into.counts(false, originalPackets, originalBytes).counts(true, replyPackets, replyBytes);
        into.incarnation(epoch, created, creator).zones(fromZone, toZone);
        if (key(count).set(lowHigh, lowLow, lowPort, highHigh, highLow, highPort, protocol, zone))
            throw MalformedMessage.because("the ends of a key are in the wrong order");
        count++;
    }

    private static void readHalf(CodedInputStream in, TcpHalf into) throws IOException {
        int end = in.pushLimit(in.readRawVarint32());
        into.clear();
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case SyncWire.SEQ_END << 3 | SyncWire.FIXED32 -> into.advanceSeqEnd(in.readFixed32());
                case SyncWire.MAX_END << 3 | SyncWire.FIXED32 -> into.advanceMaxEnd(in.readFixed32());
                case SyncWire.ACK << 3 | SyncWire.FIXED32 -> into.advanceAck(in.readFixed32());
                case SyncWire.MAX_WINDOW << 3 | SyncWire.VARINT -> into.raiseMaxWindow(bounded(in, 0, Integer.MAX_VALUE, "window"));
                case SyncWire.STATE << 3 | SyncWire.VARINT -> into.raiseState(bounded(in, TcpHalf.NONE, TcpHalf.CLOSED, "state"));
                case SyncWire.SCALE << 3 | SyncWire.VARINT -> into.raiseScale(bounded(in, 0, 14, "window scale"));
                default -> skip(in, tag);
            }
        }
        in.popLimit(end);
    }

    private void readTranslation(CodedInputStream in, MemorySegment into) throws IOException {
        int end = in.pushLimit(in.readRawVarint32());
        into.fill((byte) 0);
        int addresses = 0;
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (tag) {
                case SyncWire.SOURCE << 3 | SyncWire.BYTES -> {
                    readAddress(in);
                    MemorySegment.copy(address, 0, into, JAVA_BYTE, 0, 16);
                    addresses |= 1;
                }
                case SyncWire.DESTINATION << 3 | SyncWire.BYTES -> {
                    readAddress(in);
                    MemorySegment.copy(address, 0, into, JAVA_BYTE, 16, 16);
                    addresses |= 2;
                }
                case SyncWire.SOURCE_PORT << 3 | SyncWire.VARINT -> putPort(into, 32, bounded(in, 0, 0xFFFF, "translated source port"));
                case SyncWire.DESTINATION_PORT << 3 | SyncWire.VARINT ->
                    putPort(into, 34, bounded(in, 0, 0xFFFF, "translated destination port"));
                default -> skip(in, tag);
            }
        }
        in.popLimit(end);
        if (addresses != 3) throw MalformedMessage.because("a translation without addresses");
    }

    /** Reads 4 or 16 bytes; four are an IPv4 address, which is kept mapped. */
    private void readAddress(CodedInputStream in) throws IOException {
        int length = in.readRawVarint32();
        if (length != 4 && length != 16) throw MalformedMessage.because("an address of " + length + " bytes");
        int from = 16 - length;
        if (length == 4) {
            Arrays.fill(address, 0, 10, (byte) 0);
            address[10] = address[11] = (byte) 0xFF;
        }
        for (int i = from; i < 16; i++) address[i] = in.readRawByte();
    }

    private long half(int from) {
        long value = 0;
        for (int i = 0; i < 8; i++) value = value << 8 | Byte.toUnsignedLong(address[from + i]);
        return value;
    }

    private static void putPort(MemorySegment into, int at, int port) {
        into.set(JAVA_BYTE, at, (byte) (port >>> 8));
        into.set(JAVA_BYTE, at + 1, (byte) port);
    }

    private static int bounded(CodedInputStream in, int lowest, int highest, String what) throws IOException {
        long value = in.readRawVarint64();
        if (value < lowest || value > highest) throw MalformedMessage.because(what + " = " + value);
        return (int) value;
    }

    private static long count(CodedInputStream in) throws IOException {
        long value = in.readRawVarint64();
        if (value >>> 48 != 0) throw MalformedMessage.because("a counter of more than 48 bits");
        return value;
    }

    private static void skip(CodedInputStream in, int tag) throws IOException {
        int type = WireFormat.getTagWireType(tag);
        if (type == WireFormat.WIRETYPE_START_GROUP || type == WireFormat.WIRETYPE_END_GROUP) throw MalformedMessage.because("a group");
        in.skipField(tag);
    }
}
