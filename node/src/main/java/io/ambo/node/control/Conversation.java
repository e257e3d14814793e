package io.ambo.node.control;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.Reload;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufOutputStream;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.unix.PeerCredentials;
import io.netty.handler.codec.DecoderException;
import io.netty.util.concurrent.ScheduledFuture;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.jspecify.annotations.Nullable;

/**
 * One connection: requests one after the other, each answered before the next is begun. Lives on its channel's loop; answers are made on the workers. An asker
 * that dawdles, with its request or with taking the answer, is cut off.
 */
final class Conversation extends SimpleChannelInboundHandler<byte[]> {
    private static final Logger LOG = LogManager.getLogger();
    private static final Logger AUDIT = LogManager.getLogger("io.ambo.audit");
    /** Requests that may have arrived while one is answered. */
    private static final int WAITING_MAX = 16;

    private final ClusterAnswers answers;
    private final Executor workers;
    private final Duration patience;
    private final PeerCredentials asker;
    private final Queue<byte[]> waiting = new ArrayDeque<>();
    private boolean isAnswering;
    private boolean isClosing;
    private @Nullable ScheduledFuture<?> deadline;

    Conversation(ClusterAnswers answers, Executor workers, Duration patience, PeerCredentials asker) {
        this.answers = answers;
        this.workers = workers;
        this.patience = patience;
        this.asker = asker;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) { restartDeadline(context); }

    @Override
    public void channelInactive(ChannelHandlerContext context) { stopDeadline(); }

    @Override
    protected void channelRead0(ChannelHandlerContext context, byte[] frame) {
        if (isClosing) return;
        if (!isAnswering) {
            begin(context, frame);
        } else if (waiting.size() < WAITING_MAX) {
            waiting.add(frame);
            context.channel().config().setAutoRead(false);
        } else {
            refuse(context, 0, Failure.Code.BUSY, "too many requests at once", "wait for the answers");
        }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable thrown) {
        if (thrown instanceof DecoderException) {
            refuse(context, 0, Failure.Code.BAD_REQUEST, String.valueOf(thrown.getMessage()),
                    "this is Ambo's control socket: use the ambo command");
            return;
        }
        if (!(thrown instanceof IOException)) LOG.warn("control connection failed", thrown);
        close(context);
    }

    private void begin(ChannelHandlerContext context, byte[] frame) {
        Request request;
        try {
            request = Request.parseFrom(frame);
        } catch (InvalidProtocolBufferException e) {
            refuse(context, 0, Failure.Code.BAD_REQUEST, "the frame holds no request",
                    "this is Ambo's control socket: use the ambo command");
            return;
        }
        isAnswering = true;
        stopDeadline();
        try {
            workers.execute(() -> {
                Response response = answer(request);
                context.executor().execute(() -> onAnswer(context, response));
            });
        } catch (RejectedExecutionException e) {
            refuse(context, request.getId(), Failure.Code.UNAVAILABLE, "the node is closing", "");
        }
    }

    /** On a worker thread. */
    private Response answer(Request request) {
        try {
            Response response = answers.answer(request);
            if (request.hasReload() && !request.getReload().getDryRun()) audit(response);
            if (request.hasRestart()) AUDIT.info("restart by uid={} pid={}", asker.uid(), asker.pid());
            return response;
        } catch (RuntimeException e) {
            LOG.error("control request {} failed", request.getCommandCase(), e);
            return Response.newBuilder().setId(request.getId())
                    .setError(LocalAnswers.failure(Failure.Code.INTERNAL, "the node failed to answer: " + e, "its log has more")).build();
        }
    }

    private void audit(Response response) {
        Reload reload = response.getNodes(0).getReload();
        AUDIT.info("config reload by uid={} pid={}: {}, changes={} problems={}", asker.uid(), asker.pid(),
                reload.getApplied() ? "applied" : "refused", reload.getChangesCount(),
                reload.getProblemsCount() + reload.getRestartChangesCount());
    }

    private void onAnswer(ChannelHandlerContext context, Response response) {
        isAnswering = false;
        if (!context.channel().isActive()) return;
        boolean isLast = response.hasError();
        write(context, response, isLast);
        if (isLast) return;
        byte[] next = waiting.poll();
        if (waiting.isEmpty()) context.channel().config().setAutoRead(true);
        if (next != null) begin(context, next);
    }

    private void refuse(ChannelHandlerContext context, long id, Failure.Code code, String message, String remedy) {
        if (isClosing) return;
        write(context, Response.newBuilder().setId(id).setError(LocalAnswers.failure(code, message, remedy)).build(), true);
    }

    private void write(ChannelHandlerContext context, Response response, boolean close) {
        isClosing |= close;
        restartDeadline(context);
        var _ = context.writeAndFlush(frame(context, response)).addListener(future -> {
            if (close || !future.isSuccess()) close(context);
        });
    }

    private static ByteBuf frame(ChannelHandlerContext context, Response response) {
        ByteBuf frame = context.alloc().buffer(response.getSerializedSize() + 5);
        try (ByteBufOutputStream out = new ByteBufOutputStream(frame)) {
            response.writeDelimitedTo(out);
        } catch (IOException e) {
            frame.release();
            throw new IllegalStateException("a buffer has no I/O", e);
        }
        return frame;
    }

    private void restartDeadline(ChannelHandlerContext context) {
        stopDeadline();
        deadline = context.executor().schedule(() -> close(context), patience.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void stopDeadline() {
        if (deadline != null) deadline.cancel(false);
        deadline = null;
    }

    private static void close(ChannelHandlerContext context) {
        // Nobody waits for it: what can go wrong in closing has no answer.
        var _ = context.close();
    }

    /** For a connection that is not let in at all. */
    static void turnAway(ChannelHandlerContext context, String message, String remedy) {
        context.writeAndFlush(
                frame(context, Response.newBuilder().setError(LocalAnswers.failure(Failure.Code.BUSY, message, remedy)).build()))
                .addListener(ChannelFutureListener.CLOSE);
    }
}
