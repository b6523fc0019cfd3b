FROM a
RUN x \
  y
# c
CMD ["z"]