# docker build -t user-service .
# docker run -p 8080:8080 -e DATABASE_URL -e SUPABASE_URL user-service

FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# The one step; tests run the same script.
RUN scripts/build-release.sh /out

# glibc, CA certificates and a user that is not root; nothing else to attack.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/user-service /usr/local/bin/user-service
ENV LISTEN_ADDR=0.0.0.0:8080
EXPOSE 8080
USER nonroot
ENTRYPOINT ["/usr/local/bin/user-service"]
