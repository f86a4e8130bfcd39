FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional

# Calendly's stand-in, for docker-compose.yml; nothing of it reaches the image of the service.
FROM dependencies AS sandbox
COPY src src
USER node
STOPSIGNAL SIGTERM
CMD ["node", "src/sandbox/main.ts"]

FROM node:24-slim AS source
WORKDIR /app
COPY src src
RUN rm -r src/sandbox src/cli/demo.ts src/cli/demo src/cli/openapi.ts src/cli/scopes.ts

FROM node:24-slim
WORKDIR /app
# Without its variables the service refuses to start: an image is for production unless told otherwise.
ENV APP_ENV=production NODE_ENV=production
COPY package.json ./
COPY --from=dependencies /app/node_modules node_modules
COPY --from=source /app/src src
USER node
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.PORT || 3000) + '/api/health/live').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/server.ts"]
