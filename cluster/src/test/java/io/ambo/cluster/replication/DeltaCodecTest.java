package io.ambo.cluster.replication;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.ambo.cluster.Samples;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.proto.sync.Ask;
import io.ambo.proto.sync.Delta;
import io.ambo.proto.sync.DeltaBatch;
import io.ambo.proto.sync.Half;
import io.ambo.proto.sync.RecordChunk;
import io.ambo.proto.sync.SyncMessage;
import io.ambo.proto.sync.Translation;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class DeltaCodecTest {
    private static final long NOW_MS = 5_000_000;

    private final DeltaWriter writer = new DeltaWriter(56 * 1024);
    private final DeltaReader reader = new DeltaReader();

    private byte[] batch(SessionKey key, SessionRecord session) {
        writer.clear();
        writer.add(key, session, NOW_MS);
        writer.finishBatch(7, 11, 13, true);
        return message();
    }

    private byte[] message() { return Arrays.copyOfRange(writer.bytes(), writer.offset(), writer.offset() + writer.length()); }

    @Test
    void theBytesOnTheWireStayAsTheyAre() {
        SessionRecord session = new SessionRecord().incarnation(1, 0x0102030405060708L, 9).owner(10)
                .addFlags(SessionRecord.ORIGINAL_FROM_HIGH)
                .zones(1, 2).rule(0x11223344).timeoutMs(300).lastSeenMs(NOW_MS - 5);
        session.original().raiseState(TcpHalf.SYN);
        session.original().advanceSeqEnd(0x01020304);
        session.counts(false, 1, 60);
        assertThat(HexFormat.of().formatHex(batch(Samples.key(1), session))).isEqualTo("0801" // protocol 1
                + "1256" // a batch of 86 bytes
                + "0807" + "110b00000000000000" + "180d" + "2001" // sender, run, number, acknowledge
                + "7ac400" // a delta of 68 bytes, its length padded
                + "0a040a000000" + "1204c0a80001" + "188108" + "20bb03" + "2806" // key
                + "390807060504030201" + "4001" + "4809" // incarnation
                + "500a" + "5801" + "6001" + "6802" + "7544332211" + "78ac02" + "800105" // owner, flags, zones, rule, timeout, idle
                + "8a0107" + "0d04030201" + "2801" // original half
                + "a00101" + "b0013c"); // packets and bytes
    }

    @ParameterizedTest
    @ValueSource(longs = { 1, 2, 3 })
    void whatIsWrittenIsRead(long seed) throws Exception {
        Random random = new Random(seed);
        System.out.println("seed " + seed);
        for (int i = 0; i < 5000; i++) {
            SessionKey key = Samples.randomKey(random);
            SessionRecord session = Samples.randomSession(random, NOW_MS);
            byte[] bytes = batch(key, session);
            assertThat(reader.read(bytes, 0, bytes.length, NOW_MS)).isEqualTo(DeltaReader.Kind.BATCH);
            assertThat(reader.count()).isOne();
            assertThat(Samples.bytes(reader.key(0))).isEqualTo(Samples.bytes(key));
            assertThat(Samples.bytes(reader.record(0))).isEqualTo(Samples.bytes(session));
            assertThat(reader.sender()).isEqualTo(7);
            assertThat(reader.run()).isEqualTo(11);
            assertThat(reader.number()).isEqualTo(13);
            assertThat(reader.acknowledge()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = { 4, 5 })
    void theGeneratedClassesReadTheSame(long seed) throws Exception {
        Random random = new Random(seed);
        System.out.println("seed " + seed);
        for (int i = 0; i < 1000; i++) {
            SessionKey key = Samples.randomKey(random);
            SessionRecord session = Samples.randomSession(random, NOW_MS);
            SyncMessage message = SyncMessage.parseFrom(batch(key, session));
            assertThat(message.getProtocol()).isEqualTo(SyncWire.PROTOCOL);
            assertThat(message.getBatch().getDeltas(0)).isEqualTo(generated(key, session));
            assertThat(message.getBatch().getUnknownFields().asMap()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = { 6, 7 })
    void whatTheGeneratedClassesWriteIsRead(long seed) throws Exception {
        Random random = new Random(seed);
        System.out.println("seed " + seed);
        for (int i = 0; i < 1000; i++) {
            SessionKey key = Samples.randomKey(random);
            SessionRecord session = Samples.randomSession(random, NOW_MS);
            RecordChunk chunk = RecordChunk.newBuilder().setComparison(5).setRound(2).setNumber(3).setLast(true)
                    .addDeltas(generated(key, session))
                    .build();
            byte[] bytes = SyncMessage.newBuilder().setProtocol(1).setChunk(chunk).build().toByteArray();
            assertThat(reader.read(bytes, 0, bytes.length, NOW_MS)).isEqualTo(DeltaReader.Kind.CHUNK);
            assertThat(Samples.bytes(reader.key(0))).isEqualTo(Samples.bytes(key));
            assertThat(Samples.bytes(reader.record(0))).isEqualTo(Samples.bytes(session));
            assertThat(List.of(reader.comparison(), (long) reader.round(), reader.number())).containsExactly(5L, 2L, 3L);
            assertThat(reader.last()).isTrue();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = { 11, 12 })
    void recordsAreReadAsTheyAreWritten(long seed) throws Exception {
        Random random = new Random(seed);
        System.out.println("seed " + seed);
        for (int i = 0; i < 5000; i++) {
            SessionKey key = Samples.randomKey(random);
            SessionRecord session = Samples.randomSession(random, NOW_MS);
            SessionRecord busy = new SessionRecord().copyFrom(session).localFlags(SessionRecord.CACHED | SessionRecord.COMPLETE);
            byte[] bytes = chunkOfRecords(key, busy);
            int skewMs = random.nextInt(1000);
            assertThat(reader.read(bytes, 0, bytes.length, NOW_MS + skewMs)).isEqualTo(DeltaReader.Kind.CHUNK);
            assertThat(Samples.bytes(reader.key(0))).isEqualTo(Samples.bytes(key));
            assertThat(Samples.bytes(reader.record(0))).isEqualTo(Samples.bytes(session.lastSeenMs(session.lastSeenMs() + skewMs)));
            assertThat(List.of(reader.comparison(), (long) reader.round(), reader.number())).containsExactly(5L, 2L, 3L);
            assertThat(SyncMessage.parseFrom(bytes).getChunk().getUnknownFields().asMap()).as("sync.proto knows them").isEmpty();
        }
    }

    private byte[] chunkOfRecords(SessionKey key, SessionRecord session) {
        writer.clear();
        writer.addRecord(key, session, NOW_MS);
        writer.finishChunk(5, 2, 3, true);
        return message();
    }

    @Test
    void aChunkIsFullOfRecordsBeforeTheMessageIsTooLong() throws Exception {
        writer.clear();
        int count = 0;
        while (!writer.full()) writer.addRecord(Samples.key(count), Samples.session(1, count++, NOW_MS), NOW_MS);
        writer.finishChunk(1, 1, 1, false);
        reader.read(writer.bytes(), writer.offset(), writer.length(), NOW_MS);
        assertThat(reader.count()).isEqualTo(count);
        assertThat(Samples.bytes(reader.key(count - 1))).isEqualTo(Samples.bytes(Samples.key(count - 1)));
    }

    /** Offsets are those of SessionKey and SessionRecord. */
    static Stream<Arguments> badRecords() {
        int record = SessionKey.SIZE;
        return Stream.of(Arguments.of("a byte of the key that is always 0", 37, 1), Arguments.of("no creator", record + 12, 0),
                Arguments.of("a flag that there is not", record + 17, 1), Arguments.of("a claim", record + 17, 0x80),
                Arguments.of("a local flag", record + 18, 1), Arguments.of("a negative timeout", record + 31, 0x80),
                Arguments.of("a negative window", record + 32 + 15, 0x80), Arguments.of("a state that there is not", record + 32 + 16, 5),
                Arguments.of("a window scale that there is not", record + 52 + 17, 15),
                Arguments.of("a mark that there is not", record + 52 + 18, 0x40), Arguments.of("seen in the future", record + 79, 0x80),
                Arguments.of("seen before time began", record + 76, 1));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badRecords")
    void aRecordThatCannotBeSpoilsItsWholeMessage(String what, int at, int value) {
        byte[] good = chunkOfRecords(Samples.key(1), Samples.session(3, 4, NOW_MS));
        byte[] record = SyncMessageOf.records(good).getFirst().toByteArray();
        byte[] bad = record.clone();
        bad[at] = (byte) value;
        byte[] bytes = SyncMessageOf.chunk(record, bad, record);
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).as(what).isInstanceOf(MalformedMessage.class);
        assertThat(reader.count()).isZero();
    }

    @Test
    void aRecordOfAnotherSizeIsRefused() {
        byte[] bytes = SyncMessageOf.chunk(new byte[DeltaReader.RECORD_SIZE - 1]);
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).isInstanceOf(MalformedMessage.class)
                .hasMessageContaining("a record of 179 bytes, not 180");
    }

    /** Chunks of records by the generated classes. */
    private static final class SyncMessageOf {
        static byte[] chunk(byte[]... records) {
            RecordChunk.Builder chunk = RecordChunk.newBuilder().setComparison(5).setNumber(1);
            for (byte[] record : records) chunk.addRecords(ByteString.copyFrom(record));
            return SyncMessage.newBuilder().setProtocol(1).setChunk(chunk).build().toByteArray();
        }

        static List<ByteString> records(byte[] message) {
            try {
                return SyncMessage.parseFrom(message).getChunk().getRecordsList();
            } catch (com.google.protobuf.InvalidProtocolBufferException e) {
                throw new AssertionError(e);
            }
        }
    }

    @Test
    void aSessionThatIsSeenInTheFutureOfItsReaderIsSeenNow() throws Exception {
        byte[] bytes = batch(Samples.key(1), Samples.session(3, 4, NOW_MS));
        reader.read(bytes, 0, bytes.length, 77);
        assertThat(reader.record(0).lastSeenMs()).isEqualTo(77);
    }

    @Test
    void theLongestDeltaFitsIntoItsRoom() {
        Random random = new Random(8);
        int longest = 0;
        for (int i = 0; i < 50_000; i++) {
            SessionRecord session = Samples.randomSession(random, NOW_MS).addFlags(SessionRecord.TRANSLATED);
            session.lastSeenMs(NOW_MS - Integer.MAX_VALUE);
            writer.clear();
            writer.add(Samples.randomKey(random), session, NOW_MS);
            writer.finishChunk(-1, Integer.MAX_VALUE, Long.MAX_VALUE, true);
            longest = Math.max(longest, writer.length());
        }
        assertThat(longest).isLessThan(DeltaWriter.LONGEST_DELTA);
    }

    @Test
    void aFullBatchIsReadBack() throws Exception {
        writer.clear();
        int count = 0;
        while (!writer.full()) writer.add(Samples.key(count), Samples.session(1, count++, NOW_MS), NOW_MS);
        writer.finishBatch(1, 2, 3, false);
        reader.read(writer.bytes(), writer.offset(), writer.length(), NOW_MS);
        assertThat(reader.count()).isEqualTo(count);
        assertThat(Samples.bytes(reader.key(count - 1))).isEqualTo(Samples.bytes(Samples.key(count - 1)));
    }

    static Stream<Arguments> badDeltas() {
        Delta good = generated(Samples.key(1), Samples.session(3, 4, NOW_MS));
        Translation ends = Translation.newBuilder().setSource(bytes(4)).setDestination(bytes(16)).build();
        return Stream.of(Arguments.of("no low address", good.toBuilder().clearLowAddress()),
                Arguments.of("no high address", good.toBuilder().clearHighAddress()),
                Arguments.of("a short address", good.toBuilder().setLowAddress(bytes(3))),
                Arguments.of("a long address", good.toBuilder().setLowAddress(bytes(17))),
                Arguments.of("ends in the wrong order",
                        good.toBuilder().setLowAddress(good.getHighAddress()).setHighAddress(good.getLowAddress())),
                Arguments.of("low port", good.toBuilder().setLowPort(65536)), Arguments.of("high port", good.toBuilder().setHighPort(-1)),
                Arguments.of("protocol", good.toBuilder().setProtocol(256)),
                Arguments.of("routing zone", good.toBuilder().setRoutingZone(65536)),
                Arguments.of("no creator", good.toBuilder().clearCreator()), Arguments.of("creator", good.toBuilder().setCreator(65536)),
                Arguments.of("owner", good.toBuilder().setOwner(70000)),
                Arguments.of("flags", good.toBuilder().setFlags(SessionRecord.ALL_FLAGS + 1)),
                Arguments.of("from zone", good.toBuilder().setFromZone(65536)), Arguments.of("to zone", good.toBuilder().setToZone(65536)),
                Arguments.of("timeout", good.toBuilder().setTimeoutMs(-1)), Arguments.of("idle time", good.toBuilder().setIdleMs(-1)),
                Arguments.of("state", good.toBuilder().setOriginal(Half.newBuilder().setState(5))),
                Arguments.of("window", good.toBuilder().setReply(Half.newBuilder().setMaxWindow(-1))),
                Arguments.of("window scale", good.toBuilder().setReply(Half.newBuilder().setScale(15))),
                Arguments.of("a translation without its flag", good.toBuilder().setTranslation(ends)),
                Arguments.of("a flag without its translation", good.toBuilder().setFlags(SessionRecord.TRANSLATED)),
                Arguments.of("a translation without a source",
                        good.toBuilder().setFlags(SessionRecord.TRANSLATED).setTranslation(ends.toBuilder().clearSource())),
                Arguments.of("a translated port",
                        good.toBuilder().setFlags(SessionRecord.TRANSLATED).setTranslation(ends.toBuilder().setSourcePort(65536))),
                Arguments.of("a counter", good.toBuilder().setOriginalBytes(1L << 48)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("badDeltas")
    void aDeltaOutOfBoundsSpoilsItsWholeMessage(String what, Delta.Builder bad) {
        Delta good = generated(Samples.key(1), Samples.session(3, 4, NOW_MS));
        DeltaBatch batch = DeltaBatch.newBuilder().setSender(1).setRun(2).setNumber(3).addDeltas(good).addDeltas(bad).addDeltas(good)
                .build();
        byte[] bytes = SyncMessage.newBuilder().setProtocol(1).setBatch(batch).build().toByteArray();
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).as(what).isInstanceOf(MalformedMessage.class);
        assertThat(reader.count()).isZero();
    }

    @Test
    void aMessageOfAnotherVersionIsToldApart() {
        byte[] bytes = SyncMessage.newBuilder().setProtocol(2).setAsk(Ask.getDefaultInstance()).build().toByteArray();
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).isInstanceOfSatisfying(MalformedMessage.class,
                e -> assertThat(e.otherVersion()).isTrue());
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] bytes = batch(Samples.key(1), Samples.session(3, 4, NOW_MS));
        for (int length = 0; length < bytes.length; length++) {
            int cut = length;
            assertThatThrownBy(() -> {
                if (reader.read(bytes, 0, cut, NOW_MS) == DeltaReader.Kind.OTHER) SyncMessage.parser().parseFrom(bytes, 0, cut);
            }).as("%d of %d bytes", cut, bytes.length).isInstanceOf(java.io.IOException.class);
            assertThat(reader.count()).isZero();
        }
    }

    @Test
    void anythingAfterTheMessageIsRefused() {
        byte[] bytes = Arrays.copyOf(batch(Samples.key(1), Samples.session(3, 4, NOW_MS)), 200);
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).isInstanceOf(MalformedMessage.class);
    }

    @Test
    void tooManyDeltasAreRefused() {
        DeltaBatch.Builder batch = DeltaBatch.newBuilder().setSender(1).setNumber(1);
        Delta delta = generated(Samples.key(1), Samples.session(3, 4, NOW_MS));
        for (int i = 0; i <= DeltaReader.MOST_DELTAS; i++) batch.addDeltas(delta);
        byte[] bytes = SyncMessage.newBuilder().setProtocol(1).setBatch(batch).build().toByteArray();
        assertThatThrownBy(() -> reader.read(bytes, 0, bytes.length, NOW_MS)).isInstanceOf(MalformedMessage.class);
    }

    @Test
    void fieldsOfALaterVersionAreSkipped() throws Exception {
        byte[] known = batch(Samples.key(1), Samples.session(3, 4, NOW_MS));
        SyncMessage.Builder message = SyncMessage.parseFrom(known).toBuilder();
        message.getBatchBuilder().getDeltasBuilder(0).mergeUnknownFields(com.google.protobuf.UnknownFieldSet.newBuilder()
                .addField(900, com.google.protobuf.UnknownFieldSet.Field.newBuilder().addVarint(5).build()).build());
        byte[] bytes = message.build().toByteArray();
        reader.read(bytes, 0, bytes.length, NOW_MS);
        assertThat(reader.count()).isOne();
    }

    @ParameterizedTest
    @ValueSource(longs = { 9, 10 })
    void corruptBytesNeverDoMoreThanFail(long seed) {
        Random random = new Random(seed);
        System.out.println("seed " + seed);
        List<byte[]> starts = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            starts.add(batch(Samples.randomKey(random), Samples.randomSession(random, NOW_MS)));
            starts.add(chunkOfRecords(Samples.randomKey(random), Samples.randomSession(random, NOW_MS)));
        }
        int refused = 0;
        for (int i = 0; i < 100_000; i++) {
            byte[] bytes = starts.get(random.nextInt(starts.size())).clone();
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            try {
                reader.read(bytes, 0, bytes.length, NOW_MS);
            } catch (MalformedMessage e) {
                refused++;
                assertThat(reader.count()).isZero();
            }
        }
        assertThat(refused).isPositive();
    }

    private static ByteString bytes(int count) { return ByteString.copyFrom(new byte[count]); }

    private static ByteString address(byte[] of, int at) {
        boolean mapped = of[at + 10] == -1 && of[at + 11] == -1;
        for (int i = 0; i < 10; i++) mapped &= of[at + i] == 0;
        return mapped ? ByteString.copyFrom(of, at + 12, 4) : ByteString.copyFrom(of, at, 16);
    }

    private static Delta generated(SessionKey key, SessionRecord session) {
        byte[] bytes = Samples.bytes(key);
        Delta.Builder delta = Delta.newBuilder().setLowAddress(address(bytes, 0)).setHighAddress(address(bytes, 16))
                .setLowPort(key.port(false))
                .setHighPort(key.port(true)).setProtocol(key.protocol()).setRoutingZone(key.routingZone()).setCreated(session.created())
                .setEpoch(session.epoch()).setCreator(session.creator()).setOwner(session.owner()).setFlags(session.flags())
                .setFromZone(session.fromZone()).setToZone(session.toZone()).setRule(session.rule()).setTimeoutMs(session.timeoutMs())
                .setIdleMs((int) (NOW_MS - session.lastSeenMs())).setOriginalPackets(session.packets(false))
                .setReplyPackets(session.packets(true))
                .setOriginalBytes(session.bytes(false)).setReplyBytes(session.bytes(true));
        if (known(session.original())) delta.setOriginal(half(session.original()));
        if (known(session.reply())) delta.setReply(half(session.reply()));
        if (session.has(SessionRecord.TRANSLATED)) {
            byte[] ends = session.translation().toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
            delta.setTranslation(Translation.newBuilder().setSource(address(ends, 0)).setDestination(address(ends, 16))
                    .setSourcePort((ends[32] & 0xFF) << 8 | ends[33] & 0xFF).setDestinationPort((ends[34] & 0xFF) << 8 | ends[35] & 0xFF));
        }
        return delta.build();
    }

    private static boolean known(TcpHalf half) { return half.state() != 0 || half.flags() != 0 || half.maxWindow() != 0; }

    private static Half half(TcpHalf of) {
        Half.Builder half = Half.newBuilder().setMaxWindow(of.maxWindow()).setState(of.state());
        if (of.has(TcpHalf.SEQ_KNOWN)) half.setSeqEnd(of.seqEnd());
        if (of.has(TcpHalf.LIMIT_KNOWN)) half.setMaxEnd(of.maxEnd());
        if (of.has(TcpHalf.ACK_KNOWN)) half.setAck(of.ack());
        if (of.has(TcpHalf.SCALE_KNOWN)) half.setScale(of.scale());
        return half.build();
    }
}
