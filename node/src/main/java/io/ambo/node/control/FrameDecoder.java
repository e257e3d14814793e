package io.ambo.node.control;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.CorruptedFrameException;
import io.netty.handler.codec.TooLongFrameException;
import java.util.List;

/** Cuts a stream into the bytes of its messages: each is preceded by its length as a varint. Refuses a length before any of it is kept. */
final class FrameDecoder extends ByteToMessageDecoder {
    private static final int LENGTH_BYTES_MAX = 5;

    private final int frameMaxBytes;

    FrameDecoder(int frameMaxBytes) { this.frameMaxBytes = frameMaxBytes; }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf in, List<Object> out) {
        int start = in.readerIndex();
        long length = 0;
        for (int i = 0; i < LENGTH_BYTES_MAX; i++) {
            if (i >= in.readableBytes()) return;
            byte next = in.getByte(start + i);
            length |= (long) (next & 0x7F) << (7 * i);
            if (next >= 0) {
                frame(in, start + i + 1, length, out);
                return;
            }
        }
        in.skipBytes(in.readableBytes());
        throw new CorruptedFrameException("what came is no length");
    }

    private void frame(ByteBuf in, int bodyAt, long length, List<Object> out) {
        if (length > frameMaxBytes) {
            in.skipBytes(in.readableBytes());
            throw new TooLongFrameException("a frame of " + length + " bytes: at most " + frameMaxBytes + " are taken");
        }
        if (in.writerIndex() - bodyAt < length) return;
        byte[] frame = new byte[(int) length];
        in.getBytes(bodyAt, frame);
        in.readerIndex(bodyAt + (int) length);
        out.add(frame);
    }
}
